"""What banks do with demands, grab, decline, offer, and the one acceptance that ends the choice."""

import secrets
from dataclasses import dataclass

from sqlalchemy import func, insert, update
from sqlmodel import Session, col, select
from xinyidai.demands import DemandDocument
from xinyidai.identifiers import BankId
from xinyidai.market import DeclineReason, DemandState, OfferState, OfferTerms, Repayment

from server.errors import RequestInvalid
from server.market.errors import (
    CriteriaNotMet,
    DemandChanged,
    DemandClosed,
    DemandFull,
    DemandUnknown,
    OfferClosed,
    OfferExists,
    OfferUnknown,
    ProductUnknown,
    QuotaExhausted,
)
from server.market.feed import News, publish_news
from server.market.matching import outside_product
from server.market.models import Candidate, Demand, NoticeKind, Offer, Place, ProductState
from server.market.products import find_product, return_quota, terms_of_version, use_quota
from server.market.rules import MarketRules
from server.market.states import AT_WORK, GRABBABLE, move_place, of_version, owned_by, settle, take_demand, unexpired

_LONGEST_SECONDS = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Draft:
    """What a bank wants to offer."""

    demand_id: str
    demand_version: int
    product_id: str
    terms: OfferTerms
    idempotency_key: str


def grab(session: Session, bank: BankId, demand_id: str, rules: MarketRules, now: int) -> None:
    """Take a place, if one is free: of two banks that want the last one, one gets it.

    A bank that holds a place keeps it. Raises `DemandUnknown`, `DemandFull`, `DemandClosed`.
    """
    place_of(session, bank, demand_id)
    free = col(Demand.places_taken) < col(Demand.places)
    taken_at = func.coalesce(col(Demand.first_taken_at), now)
    try:
        demand = take_demand(session, demand_id, GRABBABLE, free, unexpired(now),
                             places_taken=col(Demand.places_taken) + 1, first_taken_at=taken_at)  # fmt: skip
    except DemandClosed as error:
        if place_of(session, bank, demand_id).place in AT_WORK:
            return
        raise _why_not(session, demand_id, error, now) from error
    held = {"place": str(Place.HELD), "held_until": now + rules.hold_seconds}
    mine = move_place(session, demand, bank, (Place.OPEN,), **held)
    if not mine and place_of(session, bank, demand_id).place not in AT_WORK:
        raise DemandClosed("this bank may not grab this demand, or no longer")
    settle(session, demand_id)


def assign(session: Session, demand_id: str, rules: MarketRules, now: int) -> None:
    """Give a demand nobody grabbed to the bank that fits best. Raises `DemandClosed`."""
    due = col(Demand.assign_at) <= now
    taken_at = func.coalesce(col(Demand.first_taken_at), now)
    demand = take_demand(
        session, demand_id, (DemandState.MATCHING,), due, unexpired(now), first_taken_at=taken_at, places_taken=1
    )
    best = session.exec(
        select(Candidate.bank)
        .where(Candidate.demand_id == demand_id, Candidate.demand_version == demand.version)
        .where(Candidate.place == Place.OPEN)
        .order_by(col(Candidate.points).desc(), col(Candidate.product_id))
        .limit(1)
    ).one()
    move_place(session, demand, best, (Place.OPEN,), place=str(Place.HELD), held_until=now + rules.hold_seconds)
    settle(session, demand_id)
    publish_news(session, [News(best, demand_id, NoticeKind.HELD)], now)


def decline(session: Session, bank: BankId, demand_id: str, reason: DeclineReason, now: int) -> None:
    """Safe to repeat. A bank whose offer stands withdraws that instead. Raises `DemandUnknown`, `DemandClosed`."""
    if place_of(session, bank, demand_id).place == Place.DECLINED:
        return
    demand = take_demand(session, demand_id, GRABBABLE, unexpired(now), assign_at=now)
    to = {"place": str(Place.DECLINED), "decline_reason": str(reason), "held_until": 0}
    if not move_place(session, demand, bank, (Place.OPEN, Place.HELD), **to):
        raise DemandClosed("this bank has nothing to decline; withdraw an offer that stands")
    settle(session, demand_id)


def lapse_hold(session: Session, demand_id: str, bank: str, now: int) -> None:
    """A held place whose time has passed falls to another bank. Raises `DemandClosed`."""
    demand = take_demand(session, demand_id, (DemandState.ASSIGNED, DemandState.OFFERED), unexpired(now), assign_at=now)
    due = col(Candidate.held_until) <= now
    if not move_place(session, demand, bank, (Place.HELD,), due, place=str(Place.LAPSED), held_until=0):
        raise DemandClosed("the place is not due")
    settle(session, demand_id)
    publish_news(session, [News(bank, demand_id, NoticeKind.ENDED)], now)


def make_offer(session: Session, bank: BankId, draft: Draft, now: int) -> Offer:
    """One offer for each version of a demand and bank, which must hold a place.

    Repeated with the same key, the offer made first is returned, whatever the terms. Raises `MarketRefused`.
    """
    if not 1 <= len(draft.idempotency_key) <= 64:
        raise RequestInvalid("idempotency_key has 1 to 64 characters")
    if (made := _made_before(session, bank, draft)) is not None:
        return made
    candidate = place_of(session, bank, draft.demand_id)
    if candidate.demand_version != draft.demand_version:
        raise DemandChanged(f"version {candidate.demand_version} of the demand is the one to look at")
    version = _check_terms(session, bank, draft, candidate, now)
    first = func.coalesce(col(Demand.first_offer_at), now)
    states = (DemandState.ASSIGNED, DemandState.OFFERED)
    demand = take_demand(
        session, draft.demand_id, states, of_version(draft.demand_version), unexpired(now), first_offer_at=first
    )
    if draft.terms.amount_fen > demand.amount_fen:
        raise CriteriaNotMet("an offer does not exceed what was asked for")
    in_time = col(Candidate.held_until) > now
    if not move_place(session, demand, bank, (Place.HELD,), in_time, place=str(Place.OFFERED), held_until=0):
        if (made := _made_before(session, bank, draft)) is not None:
            return made
        raise DemandClosed("grab the demand first, and answer within its time")
    offer_id = secrets.token_hex(16)
    session.execute(insert(Offer), [{"offer_id": offer_id, "bank": bank, "made_at": now, **_row(draft, version)}])
    settle(session, draft.demand_id)
    return session.get_one(Offer, offer_id)


def withdraw_offer(session: Session, bank: BankId, offer_id: str, now: int) -> Offer:
    """Safe to repeat; the bank is out of this version of the demand. Raises `OfferUnknown`, `OfferClosed`."""
    offer = session.get(Offer, offer_id)
    if offer is None or offer.bank != bank:
        raise OfferUnknown()
    if offer.state == OfferState.WITHDRAWN:
        return offer
    return _end_offer(session, offer, OfferState.WITHDRAWN, Place.DECLINED, now)


def expire_offer(session: Session, offer_id: str, now: int) -> Offer:
    """Raises `OfferClosed`, `DemandClosed` when it no longer stands."""
    offer = session.get_one(Offer, offer_id)
    if offer.valid_until > now:
        raise OfferClosed("the offer still stands")
    return _end_offer(session, offer, OfferState.EXPIRED, Place.LAPSED, now)


def accept_offer(session: Session, document: DemandDocument, now: int) -> Demand:
    """Exactly one winner: the demand leaves its open states, the quota shrinks, every other offer closes, or nothing
    happens at all. Raises `DemandClosed`, `OfferUnknown`, `OfferClosed`, `QuotaExhausted`.
    """
    offer_id, version = document.offer or "", document.version or 0
    demand = take_demand(
        session,
        document.demand or "",
        (DemandState.OFFERED,),
        owned_by(document.enterprise),
        of_version(version),
        unexpired(now),
        state=str(DemandState.ACCEPTED),
        accepted_offer=offer_id[:32],
        accepted_at=now,
    )
    offer = session.get(Offer, offer_id)
    if offer is None or (offer.demand_id, offer.demand_version) != (demand.demand_id, version):
        raise OfferUnknown()
    if not _move_offer(session, offer_id, OfferState.ACCEPTED, col(Offer.valid_until) > now):
        raise OfferClosed("the offer no longer stands")
    use_quota(session, offer.product_id, offer.amount_fen, now)
    move_place(session, demand, offer.bank, (Place.OFFERED,), place=str(Place.WON))
    close_offers(session, demand.demand_id)
    others = session.execute(
        update(Candidate)
        .where(col(Candidate.demand_id) == demand.demand_id, col(Candidate.demand_version) == version)
        .where(col(Candidate.place).in_((Place.OPEN, *AT_WORK)))
        .values(place=str(Place.CLOSED))
        .returning(col(Candidate.bank))
        .execution_options(synchronize_session=False)
    )
    news = [News(row[0], demand.demand_id, NoticeKind.ENDED) for row in others]
    publish_news(session, [*news, News(offer.bank, demand.demand_id, NoticeKind.ACCEPTED)], now)
    return demand


def undo_acceptance(session: Session, demand: Demand, now: int) -> None:
    """Of a demand just taken out of accepted: the loan is not paid out, its quota is free again."""
    offer = session.get_one(Offer, demand.accepted_offer or "")
    return_quota(session, offer.product_id, offer.amount_fen, now)
    session.execute(
        update(Offer)
        .where(col(Offer.offer_id) == offer.offer_id)
        .values(state=str(OfferState.CLOSED))
        .execution_options(synchronize_session=False)
    )


def fulfil(session: Session, bank: BankId, demand_id: str, now: int) -> None:
    """The bank that won has paid out. Safe to repeat. Raises `DemandUnknown`, `DemandClosed`."""
    if place_of(session, bank, demand_id).place != Place.WON:
        raise DemandClosed("the demand was not won by this bank")
    try:
        take_demand(session, demand_id, (DemandState.ACCEPTED,), state=str(DemandState.FULFILLED), ended_at=now)
    except DemandClosed:
        if session.get_one(Demand, demand_id).state != DemandState.FULFILLED:
            raise


def place_of(session: Session, bank: str, demand_id: str) -> Candidate:
    """Where the bank stands with the newest version it was matched with. Raises `DemandUnknown`."""
    query = select(Candidate).where(Candidate.demand_id == demand_id, Candidate.bank == bank)
    found = session.exec(
        query.order_by(col(Candidate.demand_version).desc()).limit(1).execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise DemandUnknown()
    return found


def offer_terms(offer: Offer) -> OfferTerms:
    return OfferTerms(offer.amount_fen, offer.annual_rate_bp, offer.months, offer.fee_fen, Repayment(offer.repayment),
                      offer.valid_until)  # fmt: skip


def close_offers(session: Session, demand_id: str) -> None:
    session.execute(
        update(Offer)
        .where(col(Offer.demand_id) == demand_id, col(Offer.state) == OfferState.LIVE)
        .values(state=str(OfferState.CLOSED))
        .execution_options(synchronize_session=False)
    )


def _why_not(session: Session, demand_id: str, error: DemandClosed, now: int) -> DemandClosed | DemandFull:
    demand = session.get_one(Demand, demand_id, populate_existing=True)
    full = demand.state in GRABBABLE and demand.expires_at > now
    return DemandFull() if full else error


def _made_before(session: Session, bank: BankId, draft: Draft) -> Offer | None:
    """Raises `OfferExists` for an offer under another key."""
    made = session.exec(
        select(Offer).where(
            Offer.demand_id == draft.demand_id, Offer.demand_version == draft.demand_version, Offer.bank == bank
        )
    ).first()
    if made is not None and made.idempotency_key != draft.idempotency_key:
        raise OfferExists()
    return made


def _check_terms(session: Session, bank: BankId, draft: Draft, candidate: Candidate, now: int) -> int:
    """The version of the product the offer is made under: the one the demand saw, if it is that product."""
    product = find_product(session, bank, draft.product_id)
    if product.state == ProductState.WITHDRAWN:
        raise ProductUnknown()
    version = candidate.product_version if candidate.product_id == draft.product_id else product.version
    outside = outside_product(terms_of_version(session, draft.product_id, version), draft.terms)
    if outside:
        raise CriteriaNotMet(f"outside version {version} of the product: {', '.join(outside)}")
    if not now < draft.terms.valid_until <= now + _LONGEST_SECONDS:
        raise RequestInvalid("valid_until lies within a year from now")
    if product.quota_used_fen + draft.terms.amount_fen > product.quota_fen:
        raise QuotaExhausted()
    return version


def _row(draft: Draft, product_version: int) -> dict[str, object]:
    return {
        "demand_id": draft.demand_id,
        "demand_version": draft.demand_version,
        "product_id": draft.product_id,
        "product_version": product_version,
        "idempotency_key": draft.idempotency_key,
        "state": str(OfferState.LIVE),
        **draft.terms.claims(),
    }


def _end_offer(session: Session, offer: Offer, state: OfferState, place: Place, now: int) -> Offer:
    demand = take_demand(session, offer.demand_id, (DemandState.OFFERED,), assign_at=now)
    if not _move_offer(session, offer.offer_id, state):
        raise OfferClosed("the offer no longer stands")
    reason = str(DeclineReason.OFFER_WITHDRAWN) if place is Place.DECLINED else ""
    move_place(session, demand, offer.bank, (Place.OFFERED,), place=str(place), decline_reason=reason)
    settle(session, offer.demand_id)
    publish_news(session, [News(offer.bank, offer.demand_id, NoticeKind.ENDED)], now)
    return session.get_one(Offer, offer.offer_id, populate_existing=True)


def _move_offer(session: Session, offer_id: str, state: OfferState, *conditions: object) -> bool:
    """Whether the offer stood and took the new state."""
    moved = session.execute(
        update(Offer)
        .where(col(Offer.offer_id) == offer_id, col(Offer.state) == OfferState.LIVE, *conditions)  # type: ignore[arg-type]
        .values(state=str(state))
        .returning(col(Offer.offer_id))
        .execution_options(synchronize_session=False)
    )
    return moved.first() is not None
