"""The demand's state machine: how a demand is taken for a change, and how its state follows from the banks' places.

posted, matching, assigned, offered and declined follow from the places by one rule (`settle`); accepted, fulfilled,
withdrawn and expired are entered by one UPDATE each, from the states named there.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, case, exists, func, select, update
from sqlmodel import Session, col
from xinyidai.market import DemandState

from server.market.errors import DemandClosed, DemandUnknown
from server.market.models import Candidate, Demand, Place

OPEN: Final = (
    DemandState.POSTED, DemandState.MATCHING, DemandState.ASSIGNED, DemandState.OFFERED, DemandState.DECLINED
)  # fmt: skip
GRABBABLE: Final = (DemandState.MATCHING, DemandState.ASSIGNED, DemandState.OFFERED)
IDLE: Final = (DemandState.POSTED, DemandState.MATCHING, DemandState.DECLINED)
"""No bank is at work."""
AT_WORK: Final = (Place.HELD, Place.OFFERED)


def take_demand(
    session: Session, demand_id: str, states: tuple[DemandState, ...], *conditions: ColumnElement[bool], **values: Any
) -> Demand:
    """One UPDATE that takes a demand in one of `states` and holds its row until the transaction ends.

    Raises `DemandUnknown`, or `DemandClosed` when it is in another state or a condition does not hold.
    """
    taken = session.execute(
        update(Demand)
        .where(col(Demand.demand_id) == demand_id, col(Demand.state).in_(states), *conditions)
        .values(**(values or {"state": col(Demand.state)}))
        .returning(col(Demand.demand_id))
        .execution_options(synchronize_session=False)
    ).first()
    found = session.get(Demand, demand_id, populate_existing=True)
    if found is None:
        raise DemandUnknown()
    if taken is None:
        raise DemandClosed(f"the demand is {found.state} (version {found.version}) and does not allow this now")
    return found


def unexpired(now: int) -> ColumnElement[bool]:
    return col(Demand.expires_at) > now


def of_version(version: int) -> ColumnElement[bool]:
    return col(Demand.version) == version


def owned_by(enterprise: str) -> ColumnElement[bool]:
    return col(Demand.enterprise) == enterprise


def move_place(
    session: Session, demand: Demand, bank: str, places: tuple[Place, ...], *conditions: ColumnElement[bool], **to: Any
) -> bool:
    """Whether the bank's place was in one of `places` and took the new values. The demand must have been taken."""
    moved = session.execute(
        update(Candidate)
        .where(
            col(Candidate.demand_id) == demand.demand_id,
            col(Candidate.demand_version) == demand.version,
            col(Candidate.bank) == bank,
            col(Candidate.place).in_(places),
            *conditions,
        )
        .values(**to)
        .returning(col(Candidate.bank))
        .execution_options(synchronize_session=False)
    )
    return moved.first() is not None


def settle(session: Session, demand_id: str) -> None:
    """Bring an open demand's state and count of places in line with its banks. The demand must have been taken."""
    at_work = (
        select(func.count())
        .select_from(Candidate)
        .where(*_of_this_version(), col(Candidate.place).in_(AT_WORK))
        .scalar_subquery()
    )
    state = case(
        (_some(Place.OFFERED), str(DemandState.OFFERED)),
        (_some(Place.HELD), str(DemandState.ASSIGNED)),
        (_some(Place.OPEN), str(DemandState.MATCHING)),
        (_some(Place.DECLINED, Place.LAPSED), str(DemandState.DECLINED)),
        else_=str(DemandState.POSTED),
    )
    session.execute(
        update(Demand)
        .where(col(Demand.demand_id) == demand_id, col(Demand.state).in_(OPEN))
        .values(state=state, places_taken=at_work)
        .execution_options(synchronize_session=False)
    )


def _of_this_version() -> tuple[ColumnElement[bool], ...]:
    return (
        col(Candidate.demand_id) == col(Demand.demand_id),
        col(Candidate.demand_version) == col(Demand.version),
    )


def _some(*places: Place) -> ColumnElement[bool]:
    return exists().where(*_of_this_version(), col(Candidate.place).in_(places))
