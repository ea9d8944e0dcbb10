"""The life of a filing: filed, claimed, approved or rejected, paid, recovered; each within the caller's transaction."""

from datetime import timedelta
from typing import Any, Final

from sqlalchemy import insert
from sqlmodel import Session, col, select
from xinyidai.identifiers import BankId
from xinyidai.loans import FilingState, LoanState, RiskClass, city_date

from server.db.base import insert_if_new, take_row
from server.errors import RequestInvalid
from server.loans.models import Loan
from server.loans.service import Report, note_report
from server.loans.states import age_loan, move_loan, take_loan
from server.paging import Page, Position, newest_first
from server.risk.errors import FilingClosed, FilingUnknown, Ineligible
from server.risk.ledger import Account, book
from server.risk.models import RiskFiling, RiskShare
from server.risk.money import split, split_within
from server.risk.positions import note_claim, release_firm, use_caps
from server.risk.publishing import scheme_on, scheme_version
from server.risk.scheme import BANK, Scheme

MOVES: Final = {
    FilingState.FILED: frozenset({FilingState.CLAIMED, FilingState.RELEASED}),
    FilingState.CLAIMED: frozenset({FilingState.APPROVED, FilingState.REJECTED, FilingState.RELEASED}),
    FilingState.REJECTED: frozenset({FilingState.CLAIMED, FilingState.RELEASED}),
    FilingState.APPROVED: frozenset({FilingState.PAID, FilingState.REJECTED, FilingState.RELEASED}),
    FilingState.PAID: frozenset({FilingState.CLOSED}),
    FilingState.RELEASED: frozenset(),
    FilingState.CLOSED: frozenset(),
}
"""From each state to those it may become; states without any are the end."""
_LATE: Final = (LoanState.OVERDUE, LoanState.BAD)
_HEALTHY: Final = (LoanState.DISBURSED, LoanState.REPAYING)
_LONGEST_NOTE: Final = 256


def file_loan(session: Session, bank: BankId, scheme_id: str, loan_id: str, now: int) -> RiskFiling:
    """A loan comes under a scheme, once and for good: what is left of its principal is covered. Safe to repeat.

    Raises `LoanRefused`, `RiskRefused`.
    """
    known = session.get(RiskFiling, loan_id)
    if known is not None and (known.bank, known.scheme_id) == (bank, scheme_id):
        return known
    loan = take_loan(session, loan_id, _HEALTHY, bank)
    loan = age_loan(session, loan, city_date(now), now)
    if loan.state not in _HEALTHY or loan.disbursed_on is None:
        raise Ineligible("a loan that is overdue or bad is not filed any more")
    scheme = scheme_on(session, scheme_id, loan.disbursed_on)
    _check_eligible(scheme, loan)
    if city_date(now) > loan.disbursed_on + timedelta(days=scheme.filing_days):
        raise Ineligible(f"a loan is filed within {scheme.filing_days} days of its payment out")
    row = _row(scheme, loan, now)
    if not insert_if_new(session, RiskFiling, row):
        if (known := own_filing(session, bank, loan_id)).scheme_id != scheme_id:
            raise FilingClosed("this loan is filed under another scheme")
        return known
    use_caps(session, scheme, bank, loan.enterprise, city_date(now).year, loan.principal_left_fen)
    return _again(session, loan_id)


def claim(session: Session, bank: BankId, loan_id: str, now: int) -> RiskFiling:
    """Claim compensation for what is left of the principal, once the scheme's trigger is met. Safe to repeat.

    Raises `LoanRefused`, `FilingUnknown`, `FilingClosed`, `Ineligible`.
    """
    own_filing(session, bank, loan_id)
    loan = take_loan(session, loan_id, _LATE, bank)
    loan = age_loan(session, loan, city_date(now), now)
    filing = _again(session, loan_id)
    if filing.state in (FilingState.CLAIMED, FilingState.APPROVED):
        return filing
    scheme = scheme_version(session, filing.scheme_id, filing.scheme_version)
    trigger = scheme.trigger
    if not trigger.met(loan.overdue_days, RiskClass(loan.risk_class)):
        raise Ineligible(
            f"compensation is claimed from {trigger.overdue_days} days overdue or the class {trigger.risk_class} on"
        )
    if loan.overdue_days > trigger.claim_days:
        raise Ineligible(f"compensation is claimed within {trigger.claim_days} days of the first overdue day")
    base = min(loan.principal_left_fen, filing.principal_fen)
    filing = _move(session, filing, FilingState.CLAIMED, claimed_fen=base, claimed_at=now, note="", approved_by="")
    note_claim(session, scheme, bank, base, now)
    return filing


def approve(session: Session, loan_id: str, operator: str) -> RiskFiling:
    """The first of two people agrees. Raises `FilingUnknown`, `FilingClosed`, `RequestInvalid`."""
    take_loan(session, loan_id, tuple(LoanState))
    filing = _found(session, loan_id)
    if (filing.state, filing.approved_by) == (FilingState.APPROVED, operator):
        return filing
    return _move(session, filing, FilingState.APPROVED, approved_by=_operator(operator))


def reject(session: Session, loan_id: str, note: str, now: int) -> RiskFiling:
    """Raises `FilingUnknown`, `FilingClosed`, `RequestInvalid` without a reason."""
    if not 1 <= len(note) <= _LONGEST_NOTE:
        raise RequestInvalid(f"拒绝须写明理由 / say why, in 1 to {_LONGEST_NOTE} characters")
    take_loan(session, loan_id, tuple(LoanState))
    filing = _found(session, loan_id)
    claimed = filing.claimed_fen
    filing = _move(session, filing, FilingState.REJECTED, claimed_fen=0, note=note, approved_by="")
    scheme = scheme_version(session, filing.scheme_id, filing.scheme_version)
    note_claim(session, scheme, filing.bank, -claimed, now)
    return filing


def pay(session: Session, loan_id: str, operator: str, now: int) -> RiskFiling:
    """Somebody else than who approved pays: every party's share leaves its fund, or nothing does.

    What came in since the claim is taken off. Raises `LoanClosed` when the loan is not late any more, `FilingUnknown`,
    `FilingClosed`, `FundShort`, `RequestInvalid`.
    """
    loan = take_loan(session, loan_id, _LATE)
    filing = _found(session, loan_id)
    if filing.state != FilingState.APPROVED:
        raise FilingClosed(f"the filing is {filing.state}; a claim is paid once it is approved")
    if _operator(operator) == filing.approved_by:
        raise FilingClosed("须由另一人支付 / somebody else than who approved the claim pays it")
    scheme = scheme_version(session, filing.scheme_id, filing.scheme_version)
    base = min(loan.principal_left_fen, filing.claimed_fen)
    shares = split(base, scheme.tiers)
    note_claim(session, scheme, filing.bank, base - filing.claimed_fen, now)
    release_firm(session, filing.scheme_id, filing.enterprise, filing.principal_fen)
    rows = [{"loan_id": loan_id, "party": p, "share_fen": s, "recovered_fen": 0} for p, s in shares.items()]
    filing = _move(session, filing, FilingState.PAID, claimed_fen=base, paid_at=now, paid_by=_operator(operator))
    session.execute(insert(RiskShare), rows)
    amounts = _amounts(filing.bank, shares)
    book(session, filing.scheme_id, "compensation", f"compensation/{loan_id}", amounts, now)
    move_loan(session, loan, LoanState.COMPENSATED, ended_at=now)
    return filing


def recover(session: Session, bank: BankId, report: Report, now: int) -> RiskFiling:
    """Principal of a compensated loan came in: split among those who bore it, never more to one than it bore.

    Safe to repeat. Raises `LoanRefused`, `FilingUnknown`, `FilingClosed`.
    """
    filing = own_filing(session, bank, report.loan_id)
    if report.principal_fen <= 0:
        raise RequestInvalid("a recovery has an amount")
    if not note_report(session, bank, report, now):
        return filing
    loan = take_loan(session, report.loan_id, (LoanState.COMPENSATED,), bank)
    filing = _again(session, report.loan_id)
    if filing.recovered_fen + report.principal_fen > filing.claimed_fen:
        raise FilingClosed("more than was compensated; what goes beyond it is the bank's own")
    scheme = scheme_version(session, filing.scheme_id, filing.scheme_version)
    bearers = shares_of(session, report.loan_id)
    room = {share.party: share.share_fen - share.recovered_fen for share in bearers}
    parts = split_within(report.principal_fen, scheme.recovery, room)
    for party, part in parts.items():
        mine = (col(RiskShare.loan_id) == report.loan_id, col(RiskShare.party) == party)
        take_row(session, RiskShare, *mine, recovered_fen=col(RiskShare.recovered_fen) + part)
    back = _amounts(bank, {party: -part for party, part in parts.items()})
    book(session, filing.scheme_id, "recovery", f"recovery/{bank}/{report.request_id}", back, now)
    total = filing.recovered_fen + report.principal_fen
    if total < filing.claimed_fen:
        return _set(session, filing, recovered_fen=total)
    move_loan(session, loan, LoanState.RECOVERED)
    return _move(session, filing, FilingState.CLOSED, recovered_fen=total, ended_at=now)


def write_off(session: Session, loan_id: str, now: int) -> RiskFiling:
    """Nothing more is expected of a compensated loan; final. Raises `LoanRefused`, `FilingUnknown`, `FilingClosed`."""
    loan = take_loan(session, loan_id, (LoanState.COMPENSATED,))
    filing = _move(session, _found(session, loan_id), FilingState.CLOSED, ended_at=now)
    move_loan(session, loan, LoanState.WRITTEN_OFF)
    return filing


def follow_loan(session: Session, loan: Loan, now: int) -> None:
    """Call after a change of a loan that was taken: one that is settled needs no cover any more."""
    if loan.state != LoanState.SETTLED:
        return
    filing = session.get(RiskFiling, loan.loan_id, populate_existing=True)
    if filing is None or FilingState.RELEASED not in MOVES[FilingState(filing.state)]:
        return
    release_firm(session, filing.scheme_id, filing.enterprise, filing.principal_fen)
    if filing.claimed_fen:
        scheme = scheme_version(session, filing.scheme_id, filing.scheme_version)
        note_claim(session, scheme, filing.bank, -filing.claimed_fen, now)
    _move(session, filing, FilingState.RELEASED, claimed_fen=0, ended_at=now)


def own_filing(session: Session, bank: str, loan_id: str) -> RiskFiling:
    """Raises `FilingUnknown`."""
    found = _found(session, loan_id)
    if found.bank != bank:
        raise FilingUnknown()
    return found


def shares_of(session: Session, loan_id: str) -> list[RiskShare]:
    """Who bears how much of a compensated loan, by party."""
    query = select(RiskShare).where(RiskShare.loan_id == loan_id).order_by(col(RiskShare.party))
    return list(session.exec(query.execution_options(populate_existing=True)))


def list_filings(
    session: Session, bank: str | None, states: list[FilingState], page: Page
) -> tuple[list[RiskFiling], Position | None]:
    """A bank's own, or (None) those of all, newest first."""
    query = select(RiskFiling)
    if bank is not None:
        query = query.where(RiskFiling.bank == bank)
    if states:
        query = query.where(col(RiskFiling.state).in_(states))
    return newest_first(session, query, col(RiskFiling.filed_at), col(RiskFiling.loan_id), page)


def _amounts(bank: str, shares: dict[str, int]) -> dict[Account, int]:
    """Every party's fund pays its share to the bank, and every party, the bank too, bears its part of the loss."""
    amounts = {Account("fund", party): -share for party, share in shares.items() if party != BANK}
    amounts[Account("bank", bank)] = -sum(amounts.values())
    amounts |= {Account("borne", party): share for party, share in shares.items()}
    amounts[Account("losses")] = -sum(shares.values())
    return amounts


def _check_eligible(scheme: Scheme, loan: Loan) -> None:
    rules = scheme.eligibility
    checks = {
        "guarantee": loan.guarantee in rules.guarantees,
        "months": loan.months <= rules.months_most,
        "rate": loan.annual_rate_bp <= rules.rate_most_bp,
        "region": not rules.regions or loan.region.startswith(rules.regions),
        "confirmed": not rules.confirmed or loan.confirmed_at is not None,
    }
    if unmet := [name for name, met in checks.items() if not met]:
        raise Ineligible(f"the scheme does not cover this loan: {', '.join(unmet)}")


def _row(scheme: Scheme, loan: Loan, now: int) -> dict[str, Any]:
    return {
        "loan_id": loan.loan_id,
        "scheme_id": scheme.scheme_id,
        "scheme_version": scheme.version,
        "bank": loan.bank,
        "enterprise": loan.enterprise,
        "state": str(FilingState.FILED),
        "principal_fen": loan.principal_left_fen,
        "claimed_fen": 0,
        "recovered_fen": 0,
        "approved_by": "",
        "paid_by": "",
        "note": "",
        "filed_at": now,
    }


def _move(session: Session, filing: RiskFiling, to: FilingState, **values: Any) -> RiskFiling:
    """Raises `FilingClosed` for a move that is not in the table, or when somebody else was faster."""
    if to not in MOVES[FilingState(filing.state)]:
        raise FilingClosed(f"a filing that is {filing.state} does not become {to}")
    mine = (col(RiskFiling.loan_id) == filing.loan_id, col(RiskFiling.state) == filing.state)
    if not take_row(session, RiskFiling, *mine, state=str(to), **values):
        raise FilingClosed("somebody else has just changed this filing; look again")
    return _again(session, filing.loan_id)


def _set(session: Session, filing: RiskFiling, **values: Any) -> RiskFiling:
    take_row(session, RiskFiling, col(RiskFiling.loan_id) == filing.loan_id, **values)
    return _again(session, filing.loan_id)


def _found(session: Session, loan_id: str) -> RiskFiling:
    found = session.get(RiskFiling, loan_id, populate_existing=True)
    if found is None:
        raise FilingUnknown()
    return found


def _again(session: Session, loan_id: str) -> RiskFiling:
    return session.get_one(RiskFiling, loan_id, populate_existing=True)


def _operator(name: str) -> str:
    """Raises `RequestInvalid`."""
    if not 1 <= len(name.strip()) <= 64:
        raise RequestInvalid("操作人姓名为 1 至 64 个字符 / the operator's name has 1 to 64 characters")
    return name.strip()
