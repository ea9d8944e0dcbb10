"""What each side sees of the market: a bank its places, an enterprise its demands with offers side by side."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import tuple_
from sqlmodel import Session, col, select
from xinyidai.cost import Cost, cost_of
from xinyidai.identifiers import BankId
from xinyidai.market import DemandTerms

from server.market.demands import candidates_of, offers_of, own_demand, own_demands, read_demand_terms
from server.market.feed import read_news
from server.market.models import Candidate, Demand, Offer, Place
from server.market.offers import offer_terms, place_of
from server.paging import Page, Position

_KNOWS_WHO = (Place.HELD, Place.OFFERED, Place.WON)


@dataclass(frozen=True, slots=True)
class BankView:
    """A demand as one bank sees it."""

    demand: Demand
    terms: DemandTerms
    candidate: Candidate

    @property
    def enterprise(self) -> str:
        """Empty until the bank holds a place: browsing the market does not tell who wants money."""
        return self.demand.enterprise if self.candidate.place in _KNOWS_WHO else ""

    @property
    def reasons(self) -> list[dict[str, Any]]:
        return read_reasons(self.candidate)


@dataclass(frozen=True, slots=True)
class NoticeView:
    number: int
    kind: str
    view: BankView


@dataclass(frozen=True, slots=True)
class ComparedOffer:
    offer: Offer
    cost: Cost


@dataclass(frozen=True, slots=True)
class EnterpriseView:
    """A demand as its enterprise sees it."""

    demand: Demand
    terms: DemandTerms
    candidates: Sequence[Candidate]
    """Best first."""
    offers: Sequence[ComparedOffer]
    """Cheapest a year first."""


def read_reasons(candidate: Candidate) -> list[dict[str, Any]]:
    """Of {rule, points, zh, en}."""
    found: list[dict[str, Any]] = json.loads(candidate.reasons)
    return found


def bank_view(session: Session, bank: str, demand_id: str) -> BankView:
    """Raises `DemandUnknown`."""
    candidate = place_of(session, bank, demand_id)
    demand = session.get_one(Demand, demand_id, populate_existing=True)
    return BankView(demand, read_demand_terms(demand), candidate)


def bank_views(
    session: Session, bank: BankId, places: Sequence[Place], page: Page
) -> tuple[list[BankView], Position | None]:
    """Demands of which the version in force concerns the bank, newest first."""
    key = (col(Demand.posted_at), col(Demand.demand_id))
    query = (
        select(Demand, Candidate)
        .join(Candidate, col(Candidate.demand_id) == col(Demand.demand_id))
        .where(col(Candidate.demand_version) == col(Demand.version), Candidate.bank == bank)
    )
    if places:
        query = query.where(col(Candidate.place).in_(places))
    if page.after is not None:
        query = query.where(tuple_(*key) < (page.after.at, page.after.key))
    rows = list(session.exec(query.order_by(key[0].desc(), key[1].desc()).limit(page.size + 1)))
    views = [BankView(demand, read_demand_terms(demand), candidate) for demand, candidate in rows[: page.size]]
    if len(rows) <= page.size:
        return views, None
    last = views[-1].demand
    return views, Position(last.posted_at, last.demand_id)


def news_views(session: Session, bank: str, after: int, most: int) -> list[NoticeView]:
    """Notices behind number `after`, each with its demand as it stands now."""
    return [
        NoticeView(notice.number, notice.kind, bank_view(session, bank, notice.demand_id))
        for notice in read_news(session, bank, after, most)
    ]


def enterprise_view(session: Session, enterprise: str, demand_id: str) -> EnterpriseView:
    """Raises `DemandUnknown`."""
    demand = own_demand(session, enterprise, demand_id)
    compared = [ComparedOffer(offer, cost_of(offer_terms(offer))) for offer in offers_of(session, demand)]
    compared.sort(key=lambda c: (c.cost.annualised_bp, c.cost.total_fen, c.offer.offer_id))
    return EnterpriseView(demand, read_demand_terms(demand), candidates_of(session, demand), compared)


def enterprise_views(session: Session, enterprise: str) -> list[EnterpriseView]:
    """The newest hundred."""
    return [enterprise_view(session, enterprise, demand.demand_id) for demand in own_demands(session, enterprise)]
