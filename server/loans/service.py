"""What banks report about their loans, and what enterprises confirm: rules, each within the caller's transaction."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlmodel import Session, col, select
from xinyidai.identifiers import BankId
from xinyidai.loans import LoanDocument, LoanFacts, LoanState, RiskClass, city_date
from xinyidai.market import MAX_FEN, DemandState, Repayment

from server.db.base import insert_if_new
from server.errors import RequestInvalid
from server.loans.errors import LoanClosed, LoanUnknown, ReportConflict, TermsDiffer
from server.loans.models import Loan, LoanReport, ReportKind
from server.loans.states import RUNNING, age_loan, move_loan, take_loan
from server.market.models import Demand, Offer, Place
from server.market.offers import fulfil, place_of
from server.market.products import terms_of_version
from server.market.states import take_demand
from server.paging import Page, Position, newest_first


@dataclass(frozen=True, slots=True)
class Report:
    """What a bank says happened to a loan on a day."""

    loan_id: str
    request_id: str
    kind: ReportKind
    day: date
    principal_fen: int = 0
    interest_fen: int = 0
    risk_class: RiskClass | None = None


def register_loan(session: Session, bank: BankId, demand_id: str, amount_fen: int, first_loan: bool, now: int) -> Loan:
    """The loan of the offer the enterprise accepted, on the terms of that offer; `amount_fen` 0: all of it.

    Safe to repeat. Raises `DemandUnknown`, `LoanClosed`, `TermsDiffer`, `ReportConflict`.
    """
    if place_of(session, bank, demand_id).place != Place.WON:
        raise LoanClosed("the demand was not won by this bank")
    demand = take_demand(session, demand_id, (DemandState.ACCEPTED, DemandState.FULFILLED))
    offer = session.get_one(Offer, demand.accepted_offer or "")
    wanted = amount_fen or offer.amount_fen
    if not 0 < wanted <= offer.amount_fen:
        raise TermsDiffer("a loan does not exceed the offer the enterprise accepted")
    if offer.fee_fen >= wanted:
        raise TermsDiffer("the loan must exceed the fee the enterprise accepted")
    row = _row(session, demand, offer, now) | {"amount_fen": wanted, "first_loan": first_loan}
    insert_if_new(session, Loan, row)
    loan = session.get_one(Loan, offer.offer_id, populate_existing=True)
    if (loan.bank, loan.amount_fen, loan.first_loan) != (bank, wanted, first_loan):
        raise ReportConflict()
    return loan


def disburse(session: Session, bank: BankId, report: Report, now: int) -> Loan:
    """The money was paid out, and the demand is fulfilled. Raises `LoanRefused`, `DemandClosed`."""
    if _repeated(session, bank, report, now):
        return own_loan(session, bank, report.loan_id)
    loan = take_loan(session, report.loan_id, (LoanState.REGISTERED,), bank)
    accepted = session.get_one(Demand, loan.demand_id).accepted_at or 0
    if report.day < city_date(accepted):
        raise TermsDiffer("a loan is not paid out before its offer was accepted")
    fulfil(session, bank, loan.demand_id, now)
    loan = move_loan(session, loan, LoanState.DISBURSED, disbursed_on=report.day)
    return age_loan(session, loan, city_date(now), now)


def repay(session: Session, bank: BankId, report: Report, now: int) -> Loan:
    """Money came in from the enterprise: never more principal than is left. Raises `LoanRefused`."""
    if _repeated(session, bank, report, now):
        return own_loan(session, bank, report.loan_id)
    loan = take_loan(session, report.loan_id, RUNNING, bank)
    _after_disbursement(loan, report)
    if not (report.principal_fen or report.interest_fen):
        raise RequestInvalid("a repayment has principal or interest")
    if report.principal_fen > loan.principal_left_fen:
        raise TermsDiffer("more principal than is left of the loan")
    if loan.interest_paid_fen + report.interest_fen > MAX_FEN:
        raise TermsDiffer("more interest than any loan bears")
    loan = move_loan(
        session,
        loan,
        LoanState(loan.state),
        principal_paid_fen=col(Loan.principal_paid_fen) + report.principal_fen,
        interest_paid_fen=col(Loan.interest_paid_fen) + report.interest_fen,
    )
    return age_loan(session, loan, city_date(now), now)


def classify(session: Session, bank: BankId, report: Report, now: int) -> Loan:
    """The bank's own class; one better than the days overdue allow does not count. Raises `LoanRefused`."""
    if report.risk_class is None:
        raise RequestInvalid("a classification needs its class")
    if _repeated(session, bank, report, now):
        return own_loan(session, bank, report.loan_id)
    loan = take_loan(session, report.loan_id, RUNNING, bank)
    _after_disbursement(loan, report)
    loan = move_loan(session, loan, LoanState(loan.state), reported_class=str(report.risk_class))
    return age_loan(session, loan, city_date(now), now)


def cancel(session: Session, bank: BankId, report: Report, now: int) -> Loan:
    """A registered loan is not paid out after all; final. Raises `LoanRefused`."""
    if _repeated(session, bank, report, now):
        return own_loan(session, bank, report.loan_id)
    loan = take_loan(session, report.loan_id, (LoanState.REGISTERED,), bank)
    return move_loan(session, loan, LoanState.CANCELLED, ended_at=now)


def confirm(session: Session, raw: str, document: LoanDocument, now: int) -> Loan:
    """The enterprise signs that it got this loan. Safe to repeat: the first confirmation stays.

    Raises `LoanUnknown`, `LoanClosed`, `TermsDiffer` when what it signed is not what the bank reported.
    """
    if document.facts is None:
        raise RequestInvalid("the document confirms nothing")
    found = session.get(Loan, document.facts.loan)
    if found is None or found.enterprise != document.enterprise:
        raise LoanUnknown()
    paid_out = tuple(set(LoanState) - {LoanState.REGISTERED, LoanState.CANCELLED})
    loan = take_loan(session, document.facts.loan, paid_out)
    if facts_of(loan) != document.facts:
        raise TermsDiffer("the bank reported other facts of this loan; read it again before confirming")
    if loan.confirmed_at is not None:
        return loan
    return move_loan(session, loan, LoanState(loan.state), confirmed_at=now, confirmation=raw)


def facts_of(loan: Loan) -> LoanFacts:
    """Of a loan that was paid out. Raises `LoanClosed`."""
    if loan.disbursed_on is None:
        raise LoanClosed("the loan was not paid out")
    return LoanFacts(loan.loan_id, BankId(loan.bank), loan.amount_fen, loan.annual_rate_bp, loan.months,
                     Repayment(loan.repayment), loan.fee_fen, loan.disbursed_on)  # fmt: skip


def own_loan(session: Session, bank: str, loan_id: str) -> Loan:
    """Raises `LoanUnknown`."""
    found = session.get(Loan, loan_id, populate_existing=True)
    if found is None or found.bank != bank:
        raise LoanUnknown()
    return found


def list_loans(
    session: Session, bank: BankId, states: list[LoanState], page: Page
) -> tuple[list[Loan], Position | None]:
    """A bank's own, newest first."""
    query = select(Loan).where(Loan.bank == bank)
    if states:
        query = query.where(col(Loan.state).in_(states))
    return newest_first(session, query, col(Loan.registered_at), col(Loan.loan_id), page)


def enterprise_loans(session: Session, enterprise: str, most: int = 100) -> list[Loan]:
    """Newest first."""
    order = (col(Loan.registered_at).desc(), col(Loan.loan_id).desc())
    return list(session.exec(select(Loan).where(Loan.enterprise == enterprise).order_by(*order).limit(most)))


def reports_of(session: Session, loan_id: str) -> list[LoanReport]:
    """Oldest first."""
    query = select(LoanReport).where(LoanReport.loan_id == loan_id)
    return list(session.exec(query.order_by(col(LoanReport.report_id))))


def note_report(session: Session, bank: BankId, report: Report, now: int) -> bool:
    """Whether this report is new. Raises `ReportConflict`, `LoanUnknown`, `RequestInvalid`."""
    if not 1 <= len(report.request_id) <= 64:
        raise RequestInvalid("request_id has 1 to 64 characters")
    if not (0 <= report.principal_fen <= MAX_FEN and 0 <= report.interest_fen <= MAX_FEN):
        raise RequestInvalid("an amount is 0 to 10^13 fen")
    if report.day > city_date(now):
        raise RequestInvalid("a report is about a day that has come")
    own_loan(session, bank, report.loan_id)
    content: dict[str, Any] = {
        "loan_id": report.loan_id,
        "kind": str(report.kind),
        "day": report.day,
        "principal_fen": report.principal_fen,
        "interest_fen": report.interest_fen,
        "risk_class": str(report.risk_class or ""),
    }
    if insert_if_new(session, LoanReport, {"bank": bank, "request_id": report.request_id, "at": now, **content}):
        return True
    query = select(LoanReport).where(LoanReport.bank == bank, LoanReport.request_id == report.request_id)
    known = session.exec(query).one()
    if report.kind is ReportKind.CANCELLATION:
        # Its day is that of the call, and so another one when it is repeated the day after.
        content.pop("day")
    if any(getattr(known, name) != value for name, value in content.items()):
        raise ReportConflict()
    return False


def _repeated(session: Session, bank: BankId, report: Report, now: int) -> bool:
    return not note_report(session, bank, report, now)


def _after_disbursement(loan: Loan, report: Report) -> None:
    if loan.disbursed_on is None or report.day < loan.disbursed_on:
        raise TermsDiffer("nothing happens to a loan before it was paid out")


def _row(session: Session, demand: Demand, offer: Offer, now: int) -> dict[str, Any]:
    product = terms_of_version(session, offer.product_id, offer.product_version)
    return {
        "loan_id": offer.offer_id,
        "demand_id": demand.demand_id,
        "bank": offer.bank,
        "enterprise": demand.enterprise,
        "state": str(LoanState.REGISTERED),
        "annual_rate_bp": offer.annual_rate_bp,
        "months": offer.months,
        "repayment": offer.repayment,
        "fee_fen": offer.fee_fen,
        "guarantee": str(product.guarantee),
        "region": demand.region,
        "industry": demand.industry,
        "principal_paid_fen": 0,
        "interest_paid_fen": 0,
        "reported_class": str(RiskClass.NORMAL),
        "risk_class": str(RiskClass.NORMAL),
        "overdue_days": 0,
        "registered_at": now,
    }
