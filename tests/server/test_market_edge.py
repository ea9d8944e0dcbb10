"""What a bank and an enterprise meet when they come to the market: gRPC and REST, in front of the running platform."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from xinyidai.demands import Choice, DemandAction, DemandDocument, demand_id
from xinyidai.identifiers import BankId, EnclaveId
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose, OfferTerms, ProductTerms, Repayment
from xinyidai.reasons import Reason
from xinyidai.requests import Stamp
from xinyidai.status import read_error
from xinyidai.v1 import market_pb2, market_pb2_grpc

from clients.dev.deployment import ENCLAVE_ID
from server.commands import add_bank
from tests.support.parties import RawEnterprise, uscc_number
from tests.support.platform import PlatformUnderTest

WAN = 1_000_000
DAY = 86_400
NOW = int(time.time())
PRODUCT = ProductTerms(
    "信用贷", "Credit loan", WAN, 300 * WAN, 3, 24, 360, 600, (Repayment.EQUAL_INSTALMENTS,), Guarantee.CREDIT,
    1000 * WAN, NOW + 30 * DAY, regions=("3207",),
)  # fmt: skip
DEMAND = DemandTerms(
    50 * WAN, 12, LoanPurpose.EQUIPMENT, (Guarantee.CREDIT,), "320703", "C", 40, 2, NOW + 10 * DAY
)  # fmt: skip
OFFER = OfferTerms(50 * WAN, 420, 12, 0, Repayment.EQUAL_INSTALMENTS, NOW + 5 * DAY)


def signed(enterprise: RawEnterprise, action: DemandAction, **members: Any) -> str:
    now = int(time.time())
    audience = (EnclaveId(members.pop("audience", ENCLAVE_ID)),)
    stamp = Stamp(enterprise.uscc, audience, secrets.token_urlsafe(24), now, now + 240)
    return DemandDocument(stamp, enterprise.uscc, action, **members).sign(enterprise.key)


@pytest.fixture(scope="module")
def market(platform: PlatformUnderTest) -> Iterator[PlatformUnderTest]:
    """Two banks, each with a product."""
    add_bank(platform.settings, "bank-b", "乙银行", "Bank B", platform.bare.deployment.bank("bank-b") / "bank.pem")
    for bank in ("bank-a", "bank-b"):
        stub(platform, bank).PublishProduct(
            market_pb2.PublishProductRequest(code="credit", terms=market_pb2.ProductTerms(**PRODUCT.claims()))
        )
    yield platform


def stub(platform: PlatformUnderTest, bank: str) -> market_pb2_grpc.MarketServiceStub:
    return market_pb2_grpc.MarketServiceStub(platform.channel(bank))  # type: ignore[no-untyped-call]


def act(platform: PlatformUnderTest, raw: str) -> Any:
    return platform.http.post("/v1/demands", json={"demand": raw}).json()


def read(platform: PlatformUnderTest, enterprise: RawEnterprise, demand: str = "") -> Any:
    token = signed(enterprise, DemandAction.READ)
    path = f"/v1/demands/{demand}" if demand else "/v1/demands"
    return platform.http.get(path, headers={"Authorization": f"Demand {token}"}).json()


def grant(platform: PlatformUnderTest, enterprise: RawEnterprise, demand: str) -> Choice:
    token = enterprise.terms(platform.bare.bank, demand=demand).sign(enterprise.key)
    answer = platform.http.post("/v1/authorizations", json={"authorization": token})
    return Choice(BankId("bank-a"), answer.json()["digest"])


def offer_request(demand: str, **changes: Any) -> market_pb2.OfferRequest:
    members: dict[str, Any] = {
        "demand_id": demand,
        "demand_version": 1,
        "product_id": "bank-a:credit",
        "idempotency_key": "k",
        "terms": market_pb2.OfferTerms(**OFFER.claims()),
    }
    return market_pb2.OfferRequest(**(members | changes))


def reason(caught: pytest.ExceptionInfo[grpc.RpcError]) -> Reason | None:
    wire = read_error(caught.value)
    return wire.reason if wire else None


def test_from_products_to_an_accepted_offer(market: PlatformUnderTest) -> None:
    enterprise = market.enterprise(21)
    found = market.http.get("/v1/products", params={"amount_fen": 50 * WAN, "region": "320703"}).json()["products"]
    assert [entry["product_id"] for entry in found] == ["bank-a:credit", "bank-b:credit"]
    assert market.http.get("/v1/products", params={"region": "110101"}).json() == {"products": []}

    raw = signed(enterprise, DemandAction.POST, terms=DEMAND)
    posted = act(market, raw)
    demand = posted["demand_id"]
    assert (demand, posted["state"], posted["version"]) == (demand_id(raw), "matching", 1)
    assert [reason["rule"] for reason in posted["candidates"][0]["reasons"]] == ["price", "credit", "region"]
    assert "320703" in posted["candidates"][0]["reasons"][2]["zh"]

    bank = stub(market, "bank-a")
    (seen,) = [d for d in bank.ListDemands(market_pb2.ListDemandsRequest()).demands if d.demand_id == demand]
    assert (seen.place, seen.enterprise, seen.amount_fen) == ("open", "", 50 * WAN)
    chosen = act(market, signed(enterprise, DemandAction.CHOOSE, demand=demand,
                                choices=(grant(market, enterprise, demand),)))  # fmt: skip
    assert chosen["state"] == "assigned"
    seen = bank.Grab(market_pb2.GrabRequest(demand_id=demand))
    assert (seen.place, seen.enterprise, len(seen.authorization)) == ("held", enterprise.uscc, 64)
    offer = bank.Offer(offer_request(demand))
    assert bank.Offer(offer_request(demand)).offer_id == offer.offer_id

    (compared,) = read(market, enterprise, demand)["offers"]
    assert (compared["offer_id"], compared["annualised_bp"], compared["state"]) == (offer.offer_id, 420, "live")
    accepted = act(market, signed(enterprise, DemandAction.ACCEPT, demand=demand, version=1, offer=offer.offer_id))
    assert (accepted["state"], accepted["accepted_offer"]) == ("accepted", offer.offer_id)
    assert bank.Fulfil(market_pb2.FulfilRequest(demand_id=demand)).state == "fulfilled"
    with pytest.raises(grpc.RpcError) as caught:
        stub(market, "bank-b").Fulfil(market_pb2.FulfilRequest(demand_id=demand))
    assert reason(caught) is Reason.DEMAND_STATE
    kinds = [row["kind"] for row in market.audit() if row["outcome"] == "OK"]
    for kind in ("post_demand", "choose_banks", "make_offer", "accept_offer", "fulfil_demand"):
        assert kind in kinds


def test_the_stream_tells_what_happens_and_resumes_behind_any_notice(market: PlatformUnderTest) -> None:
    enterprise, bank = market.enterprise(22), stub(market, "bank-b")
    stream = bank.StreamDemands(market_pb2.StreamDemandsRequest(), timeout=20)
    demand = act(market, signed(enterprise, DemandAction.POST, terms=DEMAND))["demand_id"]
    notice = next(entry for entry in stream if entry.demand.demand_id == demand)
    assert (notice.kind, notice.demand.place) == ("matched", "open")
    stream.cancel()
    act(market, signed(enterprise, DemandAction.WITHDRAW, demand=demand))
    resumed = bank.StreamDemands(market_pb2.StreamDemandsRequest(resume_token=notice.resume_token), timeout=20)
    later = next(iter(resumed))
    resumed.cancel()
    assert (later.kind, later.demand.demand_id, later.demand.state) == ("ended", demand, "withdrawn")
    with pytest.raises(grpc.RpcError) as caught:
        next(iter(bank.StreamDemands(market_pb2.StreamDemandsRequest(resume_token="x"))))
    assert reason(caught) is Reason.REQUEST_INVALID


def test_a_document_counts_once_and_for_its_enterprise_alone(market: PlatformUnderTest) -> None:
    enterprise, other = market.enterprise(23), market.enterprise(24)
    raw = signed(enterprise, DemandAction.POST, terms=DEMAND)
    demand = act(market, raw)["demand_id"]
    assert act(market, raw)["reason"] == "NONCE_SPENT"
    assert act(market, signed(other, DemandAction.WITHDRAW, demand=demand))["reason"] == "DEMAND_STATE"
    assert read(market, other, demand)["reason"] == "DEMAND_UNKNOWN"
    assert read(market, other) == {"demands": []}
    assert [entry["demand_id"] for entry in read(market, enterprise)["demands"]] == [demand]
    assert act(market, signed(enterprise, DemandAction.READ))["reason"] == "REQUEST_INVALID"
    assert market.audit()[-1]["kind"] == "read_demands"


def test_signatures_of_others_are_refused(market: PlatformUnderTest) -> None:
    enterprise = market.enterprise(25)
    unregistered = RawEnterprise(market.bare.deployment, uscc_number(26))
    bare_key = market.enterprise(27)
    replaced = RawEnterprise(market.bare.deployment, bare_key.uscc)
    assert act(market, signed(unregistered, DemandAction.POST, terms=DEMAND))["reason"] == "KEY_NOT_REGISTERED"
    assert act(market, signed(replaced, DemandAction.POST, terms=DEMAND))["reason"] == "KEY_NOT_REGISTERED"
    assert act(market, signed(enterprise, DemandAction.POST, terms=DEMAND, audience="elsewhere"))["reason"] == (
        "AUDIENCE_MISMATCH"
    )
    head, body, signature = signed(enterprise, DemandAction.POST, terms=DEMAND).split(".")
    forged = signed(enterprise, DemandAction.POST, terms=DEMAND).split(".")[2]
    assert act(market, f"{head}.{body}.{forged}")["reason"] == "SIGNATURE_INVALID" and signature != forged
    assert act(market, enterprise.access())["reason"] == "DOCUMENT_MALFORMED"
    for header in ({}, {"Authorization": "Access x"}):
        assert market.http.get("/v1/demands", headers=header).status_code == 401


@pytest.mark.parametrize(
    ("request_", "method", "expected"),
    [
        (market_pb2.GrabRequest(demand_id="0" * 32), "Grab", Reason.DEMAND_UNKNOWN),
        (market_pb2.GrabRequest(), "Grab", Reason.REQUEST_INVALID),
        (market_pb2.DeclineRequest(demand_id="0" * 32, reason="mood"), "Decline", Reason.DOCUMENT_MALFORMED),
        (market_pb2.WithdrawOfferRequest(offer_id="x"), "WithdrawOffer", Reason.OFFER_UNKNOWN),
        (market_pb2.ListDemandsRequest(places=["everywhere"]), "ListDemands", Reason.REQUEST_INVALID),
        (market_pb2.WithdrawProductRequest(product_id="bank-b:credit"), "WithdrawProduct", Reason.PRODUCT_UNKNOWN),
        (market_pb2.PublishProductRequest(code="x"), "PublishProduct", Reason.DOCUMENT_MALFORMED),
        (offer_request("0" * 32), "Offer", Reason.DEMAND_UNKNOWN),
        (offer_request("0" * 32, terms=market_pb2.OfferTerms(amount_fen=-1)), "Offer", Reason.DOCUMENT_MALFORMED),
    ],
    ids=lambda value: "request" if isinstance(value, Message) else str(value),
)
def test_what_a_bank_may_not_ask(market: PlatformUnderTest, request_: Any, method: str, expected: Reason) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub(market, "bank-a"), method)(request_)
    assert reason(caught) is expected


def test_products_are_published_in_versions(market: PlatformUnderTest) -> None:
    bank = stub(market, "bank-a")
    terms = market_pb2.ProductTerms(**PRODUCT.claims())
    first = bank.PublishProduct(market_pb2.PublishProductRequest(code="other", terms=terms))
    assert (first.product_id, first.version, first.state) == ("bank-a:other", 1, "open")
    assert bank.PublishProduct(market_pb2.PublishProductRequest(code="other", terms=terms)) == first
    terms.rate_most_bp = 700
    with pytest.raises(grpc.RpcError) as caught:
        bank.PublishProduct(market_pb2.PublishProductRequest(code="other", terms=terms))
    assert reason(caught) is Reason.PRODUCT_VERSION
    second = bank.PublishProduct(market_pb2.PublishProductRequest(code="other", terms=terms, replaces=1))
    assert (second.version, second.terms) == (2, terms)
    gone = bank.WithdrawProduct(market_pb2.WithdrawProductRequest(product_id="bank-a:other"))
    assert gone.state == "withdrawn"
    assert gone in bank.ListProducts(market_pb2.ListProductsRequest()).products


def test_a_stopping_platform_ends_its_streams_at_once(market: PlatformUnderTest) -> None:
    """They have no end of their own; a bank's worker comes back by itself."""
    stream = stub(market, "bank-a").StreamDemands(market_pb2.StreamDemandsRequest(resume_token="1000"), timeout=60)
    time.sleep(0.5)
    started = time.monotonic()
    market.bare.system.server.stop()
    assert list(stream) == []
    assert time.monotonic() - started < 5
