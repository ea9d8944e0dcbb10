"""The market over REST: products for everyone, demands for the enterprise that signs."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Security
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPAuthorizationCredentials, HTTPBase
from pydantic import Field
from xinyidai.market import Guarantee, LoanPurpose
from xinyidai.reasons import Reason

from server.errors import Refused
from server.market.desk import MarketDesk
from server.market.matching import Listed, Wanted
from server.market.models import Candidate
from server.market.views import ComparedOffer, EnterpriseView, read_reasons
from server.rest.routes import PROBLEMS
from server.rest.schemas import MAX_TOKEN, Strict

_READ: Final[SecurityBase] = HTTPBase(
    scheme="Demand",
    scheme_name="Demand",
    description="`Authorization: Demand <demand+jwt>` with the action `read`: spent by one request.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_READ)]


class DemandMissing(Refused):
    reason = Reason.SIGNATURE_INVALID


class NewDocument(Strict):
    demand: str = Field(
        min_length=1,
        max_length=MAX_TOKEN,
        description="Compact JWS of type `demand+jwt` signed by the enterprise, with its certificate in x5c.",
    )


class ProductEntry(Strict):
    product_id: str = Field(examples=["icbc-lyg:credit-1"])
    bank: str
    version: int
    name_zh: str
    name_en: str
    amount_least_fen: int
    amount_most_fen: int
    months_least: int
    months_most: int
    rate_least_bp: int = Field(description="Basis points a year.", examples=[365])
    rate_most_bp: int
    repayments: tuple[str, ...]
    guarantee: str
    regions: tuple[str, ...] = Field(description="Beginnings of six-digit codes; empty: everywhere.")
    industries: tuple[str, ...] = Field(description="Sections of GB/T 4754; empty: every one.")
    purposes: tuple[str, ...] = Field(description="Empty: every one.")
    months_in_business_least: int
    quota_left_fen: int
    valid_until: int


class ProductList(Strict):
    products: tuple[ProductEntry, ...]


class MatchReason(Strict):
    rule: str
    points: int
    zh: str
    en: str


class CandidateEntry(Strict):
    bank: str
    product_id: str
    product_version: int
    points: int = Field(description="Sum over the reasons: rules declared by the platform, no score among them.")
    reasons: tuple[MatchReason, ...]
    place: str = Field(description="open, held, offered, declined, lapsed, won, closed")
    held_until: int
    authorized: bool
    decline_reason: str


class OfferEntry(Strict):
    offer_id: str
    bank: str
    product_id: str
    product_version: int
    state: str
    amount_fen: int
    annual_rate_bp: int
    months: int
    fee_fen: int
    repayment: str
    valid_until: int
    interest_fen: int = Field(description="Over the whole term, exact.")
    total_cost_fen: int = Field(description="Interest and fees.")
    annualised_bp: int = Field(description="What it costs a year with fees, in basis points: compare by this.")


class DemandEntry(Strict):
    demand_id: str
    version: int
    state: str
    terms: dict[str, Any]
    posted_at: int
    accepted_offer: str | None
    candidates: tuple[CandidateEntry, ...] = Field(description="Best first, with the reasons.")
    offers: tuple[OfferEntry, ...] = Field(description="Cheapest a year first.")


class DemandList(Strict):
    demands: tuple[DemandEntry, ...]


def market_routes(desk: MarketDesk) -> APIRouter:
    """Every document is verified by the platform itself: demands are its own business."""
    router = APIRouter(prefix="/v1", tags=["融资市场 / financing market"], responses=PROBLEMS)

    @router.get("/products", summary="贷款产品 / Loan products, cheapest first")
    async def products(
        amount_fen: Annotated[int | None, Query(ge=1, le=10**13)] = None,
        months: Annotated[int | None, Query(ge=1, le=360)] = None,
        region: Annotated[str | None, Query(pattern=r"^[0-9]{6}$")] = None,
        industry: Annotated[str | None, Query(pattern=r"^[A-T]$")] = None,
        purpose: LoanPurpose | None = None,
        guarantee: Annotated[list[Guarantee] | None, Query(max_length=5)] = None,
        months_in_business: Annotated[int | None, Query(ge=0, le=1200)] = None,
    ) -> ProductList:
        guarantees = tuple(guarantee) if guarantee else None
        wanted = Wanted(amount_fen, months, region, industry, purpose, guarantees, months_in_business)
        return ProductList(products=tuple(_product(entry) for entry in await desk.search(wanted)))

    @router.post("/demands", summary="发布、修改、选择银行、接受、撤回 / Post, change, choose banks, accept, withdraw")
    async def act(body: NewDocument) -> DemandEntry:
        return _demand(await desk.act(body.demand))

    @router.get("/demands", summary="本企业的融资需求 / The enterprise's own demands, newest first")
    async def own(credentials: Credentials) -> DemandList:
        return DemandList(demands=tuple(_demand(view) for view in await desk.read(_token(credentials))))

    @router.get("/demands/{demand_id}", summary="一项需求及报价比较 / One demand, with its offers compared")
    async def one(demand_id: str, credentials: Credentials) -> DemandEntry:
        (view,) = await desk.read(_token(credentials), demand_id[:64])
        return _demand(view)

    return router


def _token(credentials: HTTPAuthorizationCredentials | None) -> str:
    """Raises `DemandMissing`."""
    if credentials is None or credentials.scheme.lower() != "demand" or len(credentials.credentials) > MAX_TOKEN:
        raise DemandMissing("send the header Authorization: Demand <demand+jwt>")
    return credentials.credentials


def _product(entry: Listed) -> ProductEntry:
    terms = {name: value for name, value in entry.terms.claims().items() if name != "quota_fen"}
    return ProductEntry(
        product_id=entry.product_id,
        bank=entry.bank,
        version=entry.version,
        quota_left_fen=entry.quota_left_fen,
        **terms,
    )


def _demand(view: EnterpriseView) -> DemandEntry:
    demand = view.demand
    return DemandEntry(
        demand_id=demand.demand_id,
        version=demand.version,
        state=demand.state,
        terms=view.terms.claims(),
        posted_at=demand.posted_at,
        accepted_offer=demand.accepted_offer if demand.accepted_at else None,
        candidates=tuple(_candidate(candidate) for candidate in view.candidates),
        offers=tuple(_offer(offer) for offer in view.offers),
    )


def _candidate(candidate: Candidate) -> CandidateEntry:
    return CandidateEntry(
        bank=candidate.bank,
        product_id=candidate.product_id,
        product_version=candidate.product_version,
        points=candidate.points,
        reasons=tuple(MatchReason(**reason) for reason in read_reasons(candidate)),
        place=candidate.place,
        held_until=candidate.held_until,
        authorized=bool(candidate.authorization),
        decline_reason=candidate.decline_reason,
    )


def _offer(compared: ComparedOffer) -> OfferEntry:
    offer, cost = compared.offer, compared.cost
    return OfferEntry(
        offer_id=offer.offer_id,
        bank=offer.bank,
        product_id=offer.product_id,
        product_version=offer.product_version,
        state=offer.state,
        amount_fen=offer.amount_fen,
        annual_rate_bp=offer.annual_rate_bp,
        months=offer.months,
        fee_fen=offer.fee_fen,
        repayment=offer.repayment,
        valid_until=offer.valid_until,
        interest_fen=cost.interest_fen,
        total_cost_fen=cost.total_fen,
        annualised_bp=cost.annualised_bp,
    )
