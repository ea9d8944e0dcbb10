"""What enterprises do with their demands: post, change, choose banks, withdraw; and the products that meet one."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import func, insert, update
from sqlmodel import Session, col, select
from xinyidai.authorization import read_unverified_authorization
from xinyidai.demands import Choice, DemandDocument
from xinyidai.market import DemandState, DemandTerms, parse_demand_terms
from xinyidai.signing import Claims

from server.authorizations.models import State, StoredAuthorization
from server.authorizations.service import state_at
from server.errors import RequestInvalid
from server.market.errors import DemandClosed, DemandFull, DemandUnknown, GrantUnfit
from server.market.feed import News, publish_news
from server.market.limits import check_demands, hold_party
from server.market.matching import Listed, Ranked, rank
from server.market.models import Candidate, Demand, DemandVersion, NoticeKind, Offer, Place
from server.market.offers import close_offers, undo_acceptance
from server.market.products import open_products
from server.market.rules import MarketRules
from server.market.states import AT_WORK, IDLE, OPEN, move_place, of_version, owned_by, settle, take_demand, unexpired

_LONGEST_SECONDS = 366 * 86_400


def post_demand(
    session: Session, demand_id: str, raw: str, document: DemandDocument, rules: MarketRules, now: int
) -> Demand:
    """Store a verified document, and match it. Raises `RequestInvalid`, `TooManyDemands`."""
    terms = _checked(document.terms, now)
    hold_party(session, document.enterprise)
    row = {
        "demand_id": demand_id,
        "enterprise": document.enterprise,
        "version": 1,
        "state": str(DemandState.POSTED),
        "places_taken": 0,
        "posted_at": now,
        "assign_at": now + rules.grab_seconds,
        "matched_at": now,
        **_columns(terms),
    }
    session.execute(insert(Demand), [row])
    check_demands(session, document.enterprise, rules.open_demands)
    _keep_version(session, demand_id, 1, raw, now)
    return rematch(session, demand_id, now)


def change_demand(session: Session, raw: str, document: DemandDocument, rules: MarketRules, now: int) -> Demand:
    """A new version in place of the one named, while no bank is at work. Raises `DemandClosed`, `RequestInvalid`."""
    terms, version = _checked(document.terms, now), document.version or 0
    demand = take_demand(
        session,
        document.demand or "",
        IDLE,
        owned_by(document.enterprise),
        of_version(version),
        unexpired(now),
        version=version + 1,
        assign_at=now + rules.grab_seconds,
        **_columns(terms),
    )
    ended = _close_places(session, demand.demand_id, version, (Place.OPEN,))
    _keep_version(session, demand.demand_id, demand.version, raw, now)
    return rematch(session, demand.demand_id, now, ended)


def choose_banks(session: Session, document: DemandDocument, rules: MarketRules, now: int) -> Demand:
    """Give up to k banks a place and this demand's authorization, all or none of them.

    A bank already at work keeps its place and gets the authorization. Raises `DemandClosed`, `DemandFull`,
    `GrantUnfit`.
    """
    demand = take_demand(session, document.demand or "", OPEN, owned_by(document.enterprise), unexpired(now))
    news = []
    for choice in document.choices:
        _check_grant(session, demand, choice, now)
        if not move_place(session, demand, choice.bank, AT_WORK, authorization=choice.authorization):
            _give_place(session, demand, choice, rules, now)
            news.append(News(choice.bank, demand.demand_id, NoticeKind.HELD))
        news.append(News(choice.bank, demand.demand_id, NoticeKind.AUTHORIZED))
    settle(session, demand.demand_id)
    publish_news(session, news, now)
    return _again(session, demand)


def withdraw_demand(session: Session, document: DemandDocument, now: int) -> Demand:
    """From any open state, and from accepted: then the quota goes back. Raises `DemandClosed`, `DemandUnknown`."""
    owner, ended = owned_by(document.enterprise), {"state": str(DemandState.WITHDRAWN), "ended_at": now}
    try:
        demand = take_demand(session, document.demand or "", OPEN, owner, **ended)
    except DemandClosed:
        demand = take_demand(session, document.demand or "", (DemandState.ACCEPTED,), owner, **ended)
        undo_acceptance(session, demand, now)
    _end(session, demand, now)
    return demand


def expire_demand(session: Session, demand_id: str, now: int) -> Demand:
    """Raises `DemandClosed` when it is not open or not yet due."""
    due = col(Demand.expires_at) <= now
    demand = take_demand(session, demand_id, OPEN, due, state=str(DemandState.EXPIRED), ended_at=now)
    _end(session, demand, now)
    return demand


def expire_acceptance(session: Session, demand_id: str, rules: MarketRules, now: int) -> Demand:
    """The bank that won has not paid out in time: the quota is free again, and the enterprise may post anew.

    Raises `DemandClosed` when it did, or when the time is not over.
    """
    due = col(Demand.accepted_at) <= now - rules.fulfil_seconds
    ended = {"state": str(DemandState.EXPIRED), "ended_at": now}
    demand = take_demand(session, demand_id, (DemandState.ACCEPTED,), due, **ended)
    undo_acceptance(session, demand, now)
    _end(session, demand, now)
    return demand


def rematch(session: Session, demand_id: str, now: int, ended: Sequence[str] = ()) -> Demand:
    """Look through the products of today: new banks may grab, those whose product is gone no longer may.

    A bank that may grab keeps the version of the product it was matched with. `ended`: banks to tell that it ended for
    them, unless they are matched again. Raises `DemandClosed`.
    """
    demand = take_demand(session, demand_id, OPEN, unexpired(now), matched_at=now)
    products = open_products(session, now)
    ranked = {entry.product.bank: entry for entry in rank(read_demand_terms(demand), products)}
    known = {entry.bank: entry for entry in candidates_of(session, demand)}
    fresh = [bank for bank in ranked if bank not in known]
    if fresh:
        session.execute(insert(Candidate), [_candidate(demand, ranked[bank]) for bank in fresh])
    back = [bank for bank in ranked if bank in known and known[bank].place == Place.CLOSED]
    for bank in back:
        move_place(session, demand, bank, (Place.CLOSED,), **_ranked_columns(ranked[bank]), place=str(Place.OPEN))
    gone = [e.bank for e in known.values() if e.place == Place.OPEN and not _still_offered(e, products)]
    for bank in gone:
        move_place(session, demand, bank, (Place.OPEN,), place=str(Place.CLOSED))
    settle(session, demand_id)
    news = [News(bank, demand_id, NoticeKind.MATCHED) for bank in (*fresh, *back)]
    news += [News(bank, demand_id, NoticeKind.ENDED) for bank in {*gone, *ended} - {*fresh, *back}]
    publish_news(session, news, now)
    return _again(session, demand)


def candidates_of(session: Session, demand: Demand) -> list[Candidate]:
    """Banks of the version in force, best first."""
    query = select(Candidate).where(Candidate.demand_id == demand.demand_id, Candidate.demand_version == demand.version)
    order = (col(Candidate.points).desc(), col(Candidate.product_id))
    return list(session.exec(query.order_by(*order).execution_options(populate_existing=True)))


def read_demand_terms(demand: Demand) -> DemandTerms:
    return parse_demand_terms(Claims(json.loads(demand.terms)))


def own_demand(session: Session, enterprise: str, demand_id: str) -> Demand:
    """Raises `DemandUnknown`."""
    found = session.get(Demand, demand_id)
    if found is None or found.enterprise != enterprise:
        raise DemandUnknown()
    return found


def own_demands(session: Session, enterprise: str, most: int = 100) -> list[Demand]:
    """Newest first."""
    order = (col(Demand.posted_at).desc(), col(Demand.demand_id).desc())
    return list(session.exec(select(Demand).where(Demand.enterprise == enterprise).order_by(*order).limit(most)))


def offers_of(session: Session, demand: Demand) -> list[Offer]:
    """Offers for the version in force."""
    query = select(Offer).where(Offer.demand_id == demand.demand_id, Offer.demand_version == demand.version)
    return list(session.exec(query.order_by(col(Offer.made_at), col(Offer.offer_id))))


def _checked(terms: DemandTerms | None, now: int) -> DemandTerms:
    if terms is None:
        raise RequestInvalid("the document carries no terms")
    if not now < terms.expires_at <= now + _LONGEST_SECONDS:
        raise RequestInvalid("expires_at lies within a year from now")
    return terms


def _columns(terms: DemandTerms) -> dict[str, object]:
    members = terms.claims()
    searched = ("places", "amount_fen", "months", "purpose", "region", "industry", "expires_at")
    return {"terms": json.dumps(members, ensure_ascii=False), **{name: members[name] for name in searched}}


def _keep_version(session: Session, demand_id: str, version: int, raw: str, now: int) -> None:
    row = {"demand_id": demand_id, "version": version, "document": raw, "posted_at": now}
    session.execute(insert(DemandVersion), [row])


def _candidate(demand: Demand, ranked: Ranked) -> dict[str, object]:
    return {
        "demand_id": demand.demand_id,
        "demand_version": demand.version,
        "bank": ranked.product.bank,
        "place": str(Place.OPEN),
        "held_until": 0,
        "authorization": "",
        "decline_reason": "",
        **_ranked_columns(ranked),
    }


def _ranked_columns(ranked: Ranked) -> dict[str, object]:
    return {
        "product_id": ranked.product.product_id,
        "product_version": ranked.product.version,
        "points": ranked.points,
        "reasons": json.dumps([asdict(reason) for reason in ranked.reasons], ensure_ascii=False),
    }


def _still_offered(candidate: Candidate, products: Sequence[Listed]) -> bool:
    return any(product.product_id == candidate.product_id for product in products)


def _check_grant(session: Session, demand: Demand, choice: Choice, now: int) -> None:
    """The enclave verified the authorization before its copy was kept. Raises `GrantUnfit`."""
    copy = session.get(StoredAuthorization, choice.authorization)
    if copy is None or (copy.enterprise, copy.bank) != (demand.enterprise, choice.bank):
        raise GrantUnfit(f"submit the authorization for {choice.bank} first")
    if state_at(copy, now) is not State.ACTIVE:
        raise GrantUnfit(f"the authorization for {choice.bank} is not active")
    if read_unverified_authorization(copy.token).demand != demand.demand_id:
        raise GrantUnfit(f"the authorization for {choice.bank} does not name this demand")


def _give_place(session: Session, demand: Demand, choice: Choice, rules: MarketRules, now: int) -> None:
    free = col(Demand.places_taken) < col(Demand.places)
    taken = {
        "places_taken": col(Demand.places_taken) + 1,
        "first_taken_at": func.coalesce(col(Demand.first_taken_at), now),
    }
    try:
        take_demand(session, demand.demand_id, OPEN, free, **taken)
    except DemandClosed as error:
        raise DemandFull() from error
    held = {"place": str(Place.HELD), "held_until": now + rules.hold_seconds, "authorization": choice.authorization}
    if not move_place(session, demand, choice.bank, (Place.OPEN, Place.LAPSED), **held):
        raise DemandClosed(f"{choice.bank} has no product that meets this demand, or has declined it")


def _close_places(session: Session, demand_id: str, version: int, places: tuple[Place, ...]) -> list[str]:
    """The banks whose places were closed."""
    closed = session.execute(
        update(Candidate)
        .where(
            col(Candidate.demand_id) == demand_id,
            col(Candidate.demand_version) == version,
            col(Candidate.place).in_(places),
        )
        .values(place=str(Place.CLOSED))
        .returning(col(Candidate.bank))
        .execution_options(synchronize_session=False)
    )
    return [row[0] for row in closed]


def _end(session: Session, demand: Demand, now: int) -> None:
    close_offers(session, demand.demand_id)
    banks = _close_places(session, demand.demand_id, demand.version, (Place.OPEN, *AT_WORK, Place.WON))
    publish_news(session, [News(bank, demand.demand_id, NoticeKind.ENDED) for bank in banks], now)


def _again(session: Session, demand: Demand) -> Demand:
    return session.get_one(Demand, demand.demand_id, populate_existing=True)
