"""The market's clock: whatever is due at a moment, each in a transaction of its own.

Any number of processes may sweep at once, and one that dies in between leaves nothing half done: every step asks again,
inside its transaction, whether it is due.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from sqlalchemy import delete
from sqlmodel import Session, col, func, select
from xinyidai.market import DemandState, OfferState

from server.db import Database
from server.market.demands import expire_acceptance, expire_demand, rematch
from server.market.errors import MarketRefused
from server.market.models import Candidate, Demand, Offer, Place, Product, SpentNonce
from server.market.offers import assign, expire_offer, lapse_hold
from server.market.products import end_products
from server.market.rules import MarketRules
from server.market.states import OPEN

_BATCH: Final = 200
"""Of each kind of work in one sweep, so that none starves the others."""
Step = Callable[[Session], object]


def sweep(database: Database, rules: MarketRules, now: int) -> int:
    """Do what is due; returns how many things were done.

    Order: demands end, acceptances without payment end, offers end, places fall free, products are looked through
    anew, demands nobody grabbed are assigned. Raises `StorageFailed`.
    """
    with database.transaction("end products") as session:
        end_products(session, now)
        session.execute(delete(SpentNonce).where(col(SpentNonce.until) <= now))
    done = 0
    for find in (_expired_demands, _late_payments, _expired_offers, _due_holds, _due_matches, _due_assignments):
        with database.reading() as session:
            steps = list(find(session, rules, now))
        done += sum(_try(database, step) for step in steps)
    return done


def _try(database: Database, step: Step) -> bool:
    """Whether it still was to be done."""
    try:
        with database.transaction("sweep") as session:
            step(session)
    except MarketRefused:
        # Somebody else was faster: a party that acted in time, or another process.
        return False
    return True


def _expired_demands(session: Session, _: MarketRules, now: int) -> Iterable[Step]:
    query = select(Demand.demand_id).where(col(Demand.state).in_(OPEN), col(Demand.expires_at) <= now)
    for found in session.exec(query.limit(_BATCH)):
        yield _bound(expire_demand, found, now)


def _late_payments(session: Session, rules: MarketRules, now: int) -> Iterable[Step]:
    late = col(Demand.accepted_at) <= now - rules.fulfil_seconds
    query = select(Demand.demand_id).where(Demand.state == DemandState.ACCEPTED, late)
    for found in session.exec(query.limit(_BATCH)):
        yield _bound(expire_acceptance, found, rules, now)


def _expired_offers(session: Session, _: MarketRules, now: int) -> Iterable[Step]:
    query = select(Offer.offer_id).where(Offer.state == OfferState.LIVE, col(Offer.valid_until) <= now)
    for found in session.exec(query.limit(_BATCH)):
        yield _bound(expire_offer, found, now)


def _due_holds(session: Session, _: MarketRules, now: int) -> Iterable[Step]:
    query = select(Candidate.demand_id, Candidate.bank).where(
        Candidate.place == Place.HELD, col(Candidate.held_until) <= now
    )
    for demand, bank in session.exec(query.limit(_BATCH)):
        yield _bound(lapse_hold, demand, bank, now)


def _due_matches(session: Session, _: MarketRules, now: int) -> Iterable[Step]:
    """Demands matched before the last change of a product, or within its second."""
    changed = session.exec(select(func.max(Product.changed_at))).one()
    if changed is None:
        return
    query = select(Demand.demand_id).where(
        col(Demand.state).in_(OPEN), col(Demand.matched_at) <= changed, col(Demand.expires_at) > now
    )
    for found in session.exec(query.order_by(col(Demand.matched_at)).limit(_BATCH)):
        yield _bound(rematch, found, now)


def _due_assignments(session: Session, rules: MarketRules, now: int) -> Iterable[Step]:
    query = select(Demand.demand_id).where(Demand.state == DemandState.MATCHING, col(Demand.assign_at) <= now)
    for found in session.exec(query.limit(_BATCH)):
        yield _bound(assign, found, rules, now)


def _bound(work: Callable[..., object], *arguments: Any) -> Step:
    return lambda session: work(session, *arguments)
