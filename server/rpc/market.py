"""MarketService over gRPC. Thin: who calls, read, hand to the market, show."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from xinyidai.identifiers import BankId
from xinyidai.market import OfferTerms, ProductTerms, parse_decline_reason, parse_offer_terms, parse_product_terms
from xinyidai.signing import Claims
from xinyidai.v1 import market_pb2, market_pb2_grpc

from server.admission import Admission
from server.errors import RequestInvalid
from server.market.desk import MarketDesk
from server.market.models import Offer, Place, Product
from server.market.offers import Draft, offer_terms
from server.market.products import read_terms
from server.market.views import BankView
from server.paging import parse_page
from server.relay.banks import BankRelay
from server.rpc.calls import Call, Context, for_bank
from server.rpc.peer import peer_of

_MAX_DEMANDS: Final = 200
_MOST_NOTICES: Final = 2**62
_LONGEST_ID: Final = 96


class MarketServicer(market_pb2_grpc.MarketServiceServicer):
    def __init__(self, relay: BankRelay, desk: MarketDesk, admission: Admission, streams: Admission) -> None:
        """`streams`: places of their own for what has no end, so that it cannot crowd out the calls."""
        self.relay = relay
        self.admission = admission
        self._desk = desk
        self._streams = streams

    @for_bank
    async def PublishProduct(self, bank: BankId, request: Any, context: Context) -> market_pb2.Product:
        terms = parse_product_terms(_claims(request.terms))
        return _product(await self._desk.publish(bank, request.code, request.replaces, terms))

    @for_bank
    async def WithdrawProduct(self, bank: BankId, request: Any, context: Context) -> market_pb2.Product:
        return _product(await self._desk.withdraw_product(bank, _id(request.product_id)))

    @for_bank
    async def ListProducts(self, bank: BankId, request: Any, context: Context) -> market_pb2.ListProductsResponse:
        return market_pb2.ListProductsResponse(products=[_product(p) for p in await self._desk.products(bank)])

    @for_bank
    async def ListDemands(self, bank: BankId, request: Any, context: Context) -> market_pb2.ListDemandsResponse:
        page = parse_page(request.page_size, request.page_token, _MAX_DEMANDS)
        views, following = await self._desk.demands(bank, [_place(text) for text in request.places], page)
        token = following.token() if following else ""
        return market_pb2.ListDemandsResponse(demands=[_demand(view) for view in views], next_page_token=token)

    @for_bank
    async def Grab(self, bank: BankId, request: Any, context: Context) -> market_pb2.MarketDemand:
        return _demand(await self._desk.grab(bank, _id(request.demand_id)))

    @for_bank
    async def Decline(self, bank: BankId, request: Any, context: Context) -> market_pb2.MarketDemand:
        reason = parse_decline_reason(request.reason)
        return _demand(await self._desk.decline(bank, _id(request.demand_id), reason))

    @for_bank
    async def Offer(self, bank: BankId, request: Any, context: Context) -> market_pb2.MarketOffer:
        draft = Draft(
            _id(request.demand_id),
            request.demand_version,
            _id(request.product_id),
            parse_offer_terms(_claims(request.terms)),
            request.idempotency_key,
        )
        return _offer(await self._desk.offer(bank, draft))

    @for_bank
    async def WithdrawOffer(self, bank: BankId, request: Any, context: Context) -> market_pb2.MarketOffer:
        return _offer(await self._desk.withdraw_offer(bank, _id(request.offer_id)))

    @for_bank
    async def Fulfil(self, bank: BankId, request: Any, context: Context) -> market_pb2.MarketDemand:
        return _demand(await self._desk.fulfil(bank, _id(request.demand_id)))

    async def StreamDemands(
        self, request: market_pb2.StreamDemandsRequest, context: Context
    ) -> AsyncIterator[market_pb2.DemandNotice]:
        call = Call("StreamDemands")
        try:
            with self._streams.admit():
                peer = peer_of(context.auth_context())
                call.bank = peer.bank
                bank = await self.relay.recognize(peer)
                async with aclosing(self._desk.news(bank, _number(request.resume_token))) as news:
                    async for entry in news:
                        # A bank that was removed meanwhile is out, as on every other call.
                        await self.relay.recognize(peer)
                        yield market_pb2.DemandNotice(
                            resume_token=str(entry.number), kind=entry.kind, demand=_demand(entry.view)
                        )
            call.ended("OK")
            return
        except Exception as error:  # the process edge
            wire = call.failed(error)
        await context.abort(wire.code, wire.message, wire.trailing_metadata())


def _claims(message: Any) -> Claims:
    """Every field, unset ones with their default, under its own name; 64-bit integers as integers again."""
    members = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    for field in message.DESCRIPTOR.fields:
        if field.cpp_type == field.CPPTYPE_INT64:
            members[field.name] = getattr(message, field.name)
    return Claims(members)


def _id(raw: str) -> str:
    """Raises `RequestInvalid`."""
    if not 1 <= len(raw) <= _LONGEST_ID:
        raise RequestInvalid(f"an id has 1 to {_LONGEST_ID} characters")
    return raw


def _place(raw: str) -> Place:
    """Raises `RequestInvalid`."""
    try:
        return Place(raw)
    except ValueError as error:
        raise RequestInvalid(f"places holds some of: {', '.join(Place)}") from error


def _number(raw_token: str) -> int:
    """Raises `RequestInvalid`."""
    if not raw_token:
        return 0
    if not (raw_token.isascii() and raw_token.isdigit() and int(raw_token[:19]) < _MOST_NOTICES):
        raise RequestInvalid("resume_token is that of the last notice")
    return int(raw_token[:19])


def _product(product: Product) -> market_pb2.Product:
    return market_pb2.Product(
        product_id=product.product_id,
        version=product.version,
        state=product.state,
        terms=_product_terms(read_terms(product.terms)),
        quota_left_fen=max(0, product.quota_fen - product.quota_used_fen),
    )


def _product_terms(terms: ProductTerms) -> market_pb2.ProductTerms:
    return market_pb2.ProductTerms(**terms.claims())


def _offer_terms(terms: OfferTerms) -> market_pb2.OfferTerms:
    return market_pb2.OfferTerms(**terms.claims())


def _demand(view: BankView) -> market_pb2.MarketDemand:
    demand, candidate = view.demand, view.candidate
    terms = view.terms.claims()
    shown = ("amount_fen", "months", "purpose", "guarantees", "region", "industry", "months_in_business", "expires_at")
    return market_pb2.MarketDemand(
        demand_id=demand.demand_id,
        version=demand.version,
        state=demand.state,
        enterprise=view.enterprise,
        posted_at=demand.posted_at,
        place=candidate.place if candidate.demand_version == demand.version else Place.CLOSED,
        held_until=candidate.held_until,
        authorization=candidate.authorization if view.enterprise else "",
        product_id=candidate.product_id,
        product_version=candidate.product_version,
        points=candidate.points,
        reasons=[market_pb2.MatchReason(**reason) for reason in view.reasons],
        **{name: terms[name] for name in shown},
    )


def _offer(offer: Offer) -> market_pb2.MarketOffer:
    return market_pb2.MarketOffer(
        offer_id=offer.offer_id,
        demand_id=offer.demand_id,
        demand_version=offer.demand_version,
        product_id=offer.product_id,
        product_version=offer.product_version,
        state=offer.state,
        terms=_offer_terms(offer_terms(offer)),
        made_at=offer.made_at,
    )
