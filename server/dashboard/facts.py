"""What the dashboard counts, read from the tables: one fact for each thing that happened, with whom it concerns.

A county is digits 3 to 8 of the enterprise's code: where it is registered. Months are those of UTC+8. What becomes of a
demand counts for the month it was posted in, what becomes of a loan for the month it was paid out in, so that shares
compare like with like.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlmodel import Session, col, func, select
from xinyidai.loans import LoanState, city_date
from xinyidai.market import DemandState, Guarantee

from server.audit.models import AuditEvent, Kind
from server.audit.service import OK
from server.authorizations.models import State, StoredAuthorization
from server.enterprises.models import Enterprise
from server.loans.models import Loan
from server.market.models import Demand, Offer

_DAY: Final = 86_400
_ZONE_SECONDS: Final = 8 * 3_600
_NOT_PAID: Final = (LoanState.OVERDUE, LoanState.BAD, LoanState.COMPENSATED, LoanState.WRITTEN_OFF)
_CREDITED: Final = (DemandState.ACCEPTED, DemandState.FULFILLED)


@dataclass(frozen=True, slots=True)
class Fact:
    figure: str
    enterprise: str
    month: int
    """yyyymm"""
    amount: int = 1
    """How many, or the value of a figure that is averaged."""


Reader = Callable[[Session], Iterable[Fact]]


def month_of(day: date) -> int:
    return 100 * day.year + day.month


def county_of(enterprise: str) -> str:
    return enterprise[2:8]


def read_facts(session: Session) -> Iterator[Fact]:
    """Figures: firms, demands, picked, credited, credit_hours, rate_bp, loans, first_loans, credit_loans,
    overdue_loans, queries, authorizations, revoked."""
    for code, at in session.exec(select(Enterprise.uscc, Enterprise.registered_at)):
        yield Fact("firms", code, month_of(city_date(at)))
    yield from _demands(session)
    yield from _loans(session)
    yield from _queries(session)
    for code, at, state in session.exec(
        select(StoredAuthorization.enterprise, StoredAuthorization.submitted_at, StoredAuthorization.state)
    ):
        month = month_of(city_date(at))
        yield Fact("authorizations", code, month)
        if state == State.REVOKED:
            yield Fact("revoked", code, month)


def _demands(session: Session) -> Iterator[Fact]:
    query = select(Demand, Offer.annual_rate_bp).outerjoin(Offer, col(Offer.offer_id) == col(Demand.accepted_offer))
    for demand, rate in session.exec(query):
        code, month = demand.enterprise, month_of(city_date(demand.posted_at))
        yield Fact("demands", code, month)
        if demand.first_taken_at is not None:
            yield Fact("picked", code, month)
        if demand.state in _CREDITED and demand.accepted_at is not None:
            yield Fact("credited", code, month)
            yield Fact("credit_hours", code, month, (demand.accepted_at - demand.posted_at) // 3_600)
            yield Fact("rate_bp", code, month, rate)


def _loans(session: Session) -> Iterator[Fact]:
    for loan in session.exec(select(Loan).where(col(Loan.disbursed_on).is_not(None))):
        if loan.disbursed_on is None:
            continue
        kinds = {
            "loans": True,
            "first_loans": loan.first_loan,
            "credit_loans": loan.guarantee == Guarantee.CREDIT,
            "overdue_loans": loan.state in _NOT_PAID,
        }
        month = month_of(loan.disbursed_on)
        yield from (Fact(figure, loan.enterprise, month) for figure, counts in kinds.items() if counts)


def _queries(session: Session) -> Iterator[Fact]:
    """Assessments that were answered. Counted by the database: there may be millions."""
    day = (col(AuditEvent.at) + _ZONE_SECONDS) // _DAY
    query = (
        select(AuditEvent.enterprise, day, func.count())
        .where(AuditEvent.kind == Kind.ASSESS, AuditEvent.outcome == OK, col(AuditEvent.enterprise).is_not(None))
        .group_by(col(AuditEvent.enterprise), day)
    )
    for code, number, count in session.exec(query):
        yield Fact("queries", code or "", month_of(city_date(int(number) * _DAY - _ZONE_SECONDS)), count)
