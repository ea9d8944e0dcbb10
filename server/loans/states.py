"""The loan's state machine: one table of moves, and the state that follows from what was paid and what is overdue."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final

from sqlmodel import Session, col
from xinyidai.cost import schedule
from xinyidai.loans import BAD_CLASSES, LoanState, RiskClass, arrears, least_class, worse_class
from xinyidai.market import OfferTerms, Repayment

from server.db.base import take_row
from server.loans.errors import LoanClosed, LoanUnknown
from server.loans.models import Loan

RUNNING: Final = (LoanState.DISBURSED, LoanState.REPAYING, LoanState.OVERDUE, LoanState.BAD)
"""These follow from payments, days overdue and class by one rule, `follow`."""
_FOLLOWING: Final = frozenset({*RUNNING, LoanState.SETTLED})
MOVES: Final[Mapping[LoanState, frozenset[LoanState]]] = MappingProxyType(
    {
        LoanState.REGISTERED: frozenset({LoanState.DISBURSED, LoanState.CANCELLED}),
        LoanState.DISBURSED: _FOLLOWING,
        LoanState.REPAYING: _FOLLOWING - {LoanState.DISBURSED},
        LoanState.OVERDUE: frozenset({*_FOLLOWING, LoanState.COMPENSATED}),
        LoanState.BAD: frozenset({*_FOLLOWING, LoanState.COMPENSATED}),
        LoanState.COMPENSATED: frozenset({LoanState.RECOVERED, LoanState.WRITTEN_OFF}),
        LoanState.SETTLED: frozenset(),
        LoanState.CANCELLED: frozenset(),
        LoanState.RECOVERED: frozenset(),
        LoanState.WRITTEN_OFF: frozenset(),
    }
)
"""From each state to those it may become; states without any are the end."""


def take_loan(session: Session, loan_id: str, states: tuple[LoanState, ...], bank: str | None = None) -> Loan:
    """Hold a loan in one of `states` until the transaction ends. `bank`: whose it must be.

    Raises `LoanUnknown`, or `LoanClosed` when it is in another state.
    """
    mine = (col(Loan.bank) == bank,) if bank is not None else ()
    taken = take_row(session, Loan, col(Loan.loan_id) == loan_id, col(Loan.state).in_(states), *mine)
    found = session.get(Loan, loan_id, populate_existing=True)
    if found is None or (bank is not None and found.bank != bank):
        raise LoanUnknown()
    if not taken:
        raise LoanClosed(f"the loan is {found.state} and does not allow this")
    return found


def move_loan(session: Session, loan: Loan, to: LoanState, **values: Any) -> Loan:
    """Change a loan that was taken. Raises `LoanClosed` for a move that is not in the table."""
    if to != loan.state and to not in MOVES[LoanState(loan.state)]:
        raise LoanClosed(f"a loan that is {loan.state} does not become {to}")
    take_row(session, Loan, col(Loan.loan_id) == loan.loan_id, state=str(to), **values)
    return session.get_one(Loan, loan.loan_id, populate_existing=True)


def age_loan(session: Session, loan: Loan, today: date, now: int) -> Loan:
    """Work out days overdue, class and state of a running loan that was taken, as of a day."""
    if loan.disbursed_on is None:
        raise LoanClosed("the loan was not paid out")
    paid = loan.principal_paid_fen + loan.interest_paid_fen
    late = arrears(schedule(terms_of(loan)), loan.disbursed_on, paid, today)
    found = worse_class(RiskClass(loan.reported_class), least_class(late.days))
    state = follow(loan, late.days, found)
    settled = state is LoanState.SETTLED
    return move_loan(
        session,
        loan,
        state,
        overdue_since=None if settled else late.since,
        overdue_days=0 if settled else late.days,
        risk_class=str(RiskClass.NORMAL if settled else found),
        aged_on=today,
        ended_at=now if settled else None,
    )


def follow(loan: Loan, overdue_days: int, risk_class: RiskClass) -> LoanState:
    """The state of a loan that was paid out and not compensated."""
    if loan.principal_left_fen == 0:
        return LoanState.SETTLED
    if risk_class in BAD_CLASSES:
        return LoanState.BAD
    if overdue_days:
        return LoanState.OVERDUE
    return LoanState.REPAYING if loan.principal_paid_fen or loan.interest_paid_fen else LoanState.DISBURSED


def terms_of(loan: Loan) -> OfferTerms:
    return OfferTerms(loan.amount_fen, loan.annual_rate_bp, loan.months, loan.fee_fen, Repayment(loan.repayment), 0)
