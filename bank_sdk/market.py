"""The financing market from a bank's side: products, demands, offers."""

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import grpc
from xinyidai.market import DeclineReason, OfferTerms, ProductTerms, parse_product_terms
from xinyidai.signing import Claims, DocumentMalformed
from xinyidai.v1 import market_pb2, market_pb2_grpc

from bank_sdk.client import BankClient
from bank_sdk.errors import VerificationError
from bank_sdk.wire import call, checked_request, every_entry, service_error

_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class LoanProduct:
    product_id: str
    version: int
    state: str
    """open, withdrawn or ended."""
    terms: ProductTerms
    quota_left_fen: int


@dataclass(frozen=True, slots=True)
class MatchReason:
    rule: str
    points: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class MarketDemand:
    """A demand as the service shows it to this bank. Words are those of xinyidai.market."""

    demand_id: str
    version: int
    state: str
    enterprise: str
    """USCC; empty until this bank holds a place."""
    amount_fen: int
    months: int
    purpose: str
    guarantees: tuple[str, ...]
    region: str
    industry: str
    months_in_business: int
    """Declared by the enterprise, like everything above."""
    posted_at: int
    expires_at: int
    place: str
    """Of this bank: open, held, offered, declined, lapsed, won or closed."""
    held_until: int
    """Seconds since 1970-01-01 UTC; 0 when no place is held."""
    authorization: str
    """Digest of the authorization given to this bank for this demand; empty if none was."""
    product_id: str
    product_version: int
    points: int
    reasons: tuple[MatchReason, ...]


@dataclass(frozen=True, slots=True)
class DemandNotice:
    resume_token: str
    kind: str
    """matched, held, authorized, accepted or ended."""
    demand: MarketDemand
    """As it stands now, which may be later than the notice."""


@dataclass(frozen=True, slots=True)
class MarketOffer:
    offer_id: str
    demand_id: str
    demand_version: int
    product_id: str
    product_version: int
    state: str
    """live, accepted, closed, withdrawn or expired."""
    made_at: int


class MarketClient:
    """The market over the connection of a `BankClient`, which stays the caller's to close.

    Every method raises `ServiceError`: `MarketRefused` when a demand, product or offer does not allow it (any more).
    """

    def __init__(self, client: BankClient) -> None:
        self._stub: Any = market_pb2_grpc.MarketServiceStub(client.channel)  # type: ignore[no-untyped-call]
        self._timeout = client.timeout

    async def publish(self, code: str, terms: ProductTerms, *, replaces: int = 0) -> LoanProduct:
        """A new product under the bank's own `code`, or a new version in place of version `replaces`."""
        request = partial(
            market_pb2.PublishProductRequest,
            code=code,
            replaces=replaces,
            terms=market_pb2.ProductTerms(**terms.claims()),
        )
        return _product(await self._call(self._stub.PublishProduct, request))

    async def withdraw_product(self, product_id: str) -> LoanProduct:
        """Final. Offers that stand may still be accepted."""
        request = partial(market_pb2.WithdrawProductRequest, product_id=product_id)
        return _product(await self._call(self._stub.WithdrawProduct, request))

    async def products(self) -> list[LoanProduct]:
        """All of this bank's."""
        response = await self._call(self._stub.ListProducts, market_pb2.ListProductsRequest)
        return [_product(entry) for entry in response.products]

    async def demands(self, places: Iterable[str] = ()) -> list[MarketDemand]:
        """Demands in which this bank's place is one of `places` (none given: any), newest first. Raises
        `VerificationError` for a list that never ends."""
        chosen = list(places)

        async def page(token: str) -> Any:
            request = partial(market_pb2.ListDemandsRequest, places=chosen, page_size=_PAGE, page_token=token)
            return await self._call(self._stub.ListDemands, request)

        return [_demand(entry) for entry in await every_entry(page, "demands", lambda entry: entry.demand_id)]

    async def stream(self, resume_token: str = "") -> AsyncGenerator[DemandNotice, None]:
        """What concerns this bank, from behind `resume_token` on, as it happens; ends when the service stops.

        At least once and in order: after a crash, the notices behind the last token that was kept come again.
        """
        stream = self._stub.StreamDemands(market_pb2.StreamDemandsRequest(resume_token=resume_token))
        try:
            async for entry in stream:
                yield DemandNotice(entry.resume_token, entry.kind, _demand(entry.demand))
        except grpc.RpcError as error:
            raise service_error(error) from error
        finally:
            stream.cancel()

    async def grab(self, demand_id: str) -> MarketDemand:
        """Take a place; a place already held is kept. `MarketRefused` when other banks were faster."""
        return _demand(await self._call(self._stub.Grab, partial(market_pb2.GrabRequest, demand_id=demand_id)))

    async def decline(self, demand_id: str, reason: DeclineReason) -> MarketDemand:
        request = partial(market_pb2.DeclineRequest, demand_id=demand_id, reason=str(reason))
        return _demand(await self._call(self._stub.Decline, request))

    async def offer(
        self, demand: MarketDemand, terms: OfferTerms, *, product_id: str | None = None, idempotency_key: str
    ) -> MarketOffer:
        """One offer for each version of a demand. The same key again returns the offer that was made first.

        `product_id`: None is the product the demand was matched with.
        """
        request = partial(
            market_pb2.OfferRequest,
            demand_id=demand.demand_id,
            demand_version=demand.version,
            product_id=product_id or demand.product_id,
            terms=market_pb2.OfferTerms(**terms.claims()),
            idempotency_key=idempotency_key,
        )
        return _offer(await self._call(self._stub.Offer, request))

    async def withdraw_offer(self, offer_id: str) -> MarketOffer:
        request = partial(market_pb2.WithdrawOfferRequest, offer_id=offer_id)
        return _offer(await self._call(self._stub.WithdrawOffer, request))

    async def fulfil(self, demand_id: str) -> MarketDemand:
        """Report that the loan this bank won was paid out."""
        return _demand(await self._call(self._stub.Fulfil, partial(market_pb2.FulfilRequest, demand_id=demand_id)))

    async def _call(self, method: Any, make_request: Callable[[], Any]) -> Any:
        """Every method of the market is safe to repeat. Raises `InputError` for what no message can carry."""
        return await call(method, checked_request(make_request), self._timeout, repeatable=True)


def _product(entry: market_pb2.Product) -> LoanProduct:
    names = ProductTerms.__dataclass_fields__
    members = {name: getattr(entry.terms, name) for name in names}
    plain = {name: value if isinstance(value, str | int) else list(value) for name, value in members.items()}
    try:
        terms = parse_product_terms(Claims(plain))
    except DocumentMalformed as error:
        raise VerificationError(f"the service sent something else than a product: {error}") from error
    return LoanProduct(entry.product_id, entry.version, entry.state, terms, entry.quota_left_fen)


def _demand(entry: market_pb2.MarketDemand) -> MarketDemand:
    plain = {
        name: getattr(entry, name)
        for name in MarketDemand.__dataclass_fields__
        if name not in ("guarantees", "reasons")
    }
    reasons = tuple(MatchReason(r.rule, r.points, r.zh, r.en) for r in entry.reasons)
    return MarketDemand(**plain, guarantees=tuple(entry.guarantees), reasons=reasons)


def _offer(entry: market_pb2.MarketOffer) -> MarketOffer:
    return MarketOffer(**{name: getattr(entry, name) for name in MarketOffer.__dataclass_fields__})
