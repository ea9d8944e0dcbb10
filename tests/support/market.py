"""A market in a database, driven past the edges: banks with one product each, enterprises by number."""

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from typing import Any

from sqlmodel import Session, select
from xinyidai.demands import Choice, DemandAction, DemandDocument
from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose, OfferTerms, ProductTerms, Repayment
from xinyidai.requests import Stamp
from xinyidai.signing import SigningKey

from server.authorizations.models import State
from server.authorizations.service import keep_authorization
from server.db import Database
from server.market.demands import (
    candidates_of,
    change_demand,
    choose_banks,
    offers_of,
    post_demand,
    withdraw_demand,
)
from server.market.models import Candidate, Demand, Offer, Product
from server.market.offers import Draft, accept_offer, grab, make_offer
from server.market.products import publish_product
from server.market.rules import MarketRules
from server.market.sweep import sweep
from tests.support.grants import copied_authorization
from tests.support.parties import uscc_number

START = 1_790_000_000
DAY = 86_400
RULES = MarketRules(hold_seconds=600, grab_seconds=60, fulfil_seconds=60 * DAY, open_demands=1_000)
YUAN = 100
WAN = 10_000 * YUAN
_KEY = SigningKey.generate()

PRODUCT = ProductTerms(
    name_zh="信用贷",
    name_en="Credit loan",
    amount_least_fen=WAN,
    amount_most_fen=500 * WAN,
    months_least=3,
    months_most=36,
    rate_least_bp=340,
    rate_most_bp=600,
    repayments=(Repayment.EQUAL_INSTALMENTS, Repayment.INTEREST_MONTHLY),
    guarantee=Guarantee.CREDIT,
    quota_fen=10_000 * WAN,
    valid_until=START + 300 * DAY,
)
DEMAND = DemandTerms(
    amount_fen=100 * WAN,
    months=12,
    purpose=LoanPurpose.WORKING_CAPITAL,
    guarantees=(Guarantee.CREDIT,),
    region="320703",
    industry="C",
    months_in_business=40,
    places=1,
    expires_at=START + 30 * DAY,
)
OFFER = OfferTerms(100 * WAN, 420, 12, 0, Repayment.EQUAL_INSTALMENTS, START + 10 * DAY)


def bank(number: int) -> BankId:
    return BankId(f"bank-{number}")


@dataclass
class Market:
    """Each method is one transaction at the time `now`."""

    database: Database
    rules: MarketRules = RULES
    now: int = START
    made: int = field(default=0)

    def publish(self, number: int, **changes: Any) -> Product:
        with self.database.transaction("publish") as session:
            return publish_product(session, bank(number), "credit", 0, replace(PRODUCT, **changes), self.now)

    def republish(self, number: int, replaces: int, **changes: Any) -> Product:
        with self.database.transaction("publish") as session:
            return publish_product(session, bank(number), "credit", replaces, replace(PRODUCT, **changes), self.now)

    def document(self, action: DemandAction, enterprise: Uscc, **members: Any) -> DemandDocument:
        stamp = Stamp(enterprise, (EnclaveId("lianyungang-1"),), secrets.token_urlsafe(24), self.now, self.now + 240)
        return DemandDocument(stamp, enterprise, action, **members)

    def post(self, enterprise: int = 1, **changes: Any) -> str:
        """The id of the new demand."""
        self.made += 1
        name = hashlib.sha256(f"{self.made}".encode()).hexdigest()[:32]
        document = self.document(DemandAction.POST, uscc_number(enterprise), terms=replace(DEMAND, **changes))
        with self.database.transaction("post") as session:
            return post_demand(session, name, "raw", document, self.rules, self.now).demand_id

    def change(self, demand: str, version: int, enterprise: int = 1, **changes: Any) -> Demand:
        terms = replace(DEMAND, **changes)
        document = self.document(
            DemandAction.CHANGE, uscc_number(enterprise), demand=demand, version=version, terms=terms
        )
        with self.database.transaction("change") as session:
            return change_demand(session, "raw", document, self.rules, self.now)

    def authorize(self, demand: str | None, number: int, enterprise: int = 1) -> Choice:
        """A copy of an authorization, as an enclave would have confirmed it."""
        grant = copied_authorization(
            enterprise=uscc_number(enterprise),
            authorization_id=secrets.token_urlsafe(24),
            issued_at=self.now,
            not_before=self.now,
            expires_at=self.now + 30 * DAY,
            bank=bank(number),
            demand=demand,
        )
        with self.database.transaction("keep") as session:
            return Choice(bank(number), keep_authorization(session, grant.sign(_KEY), grant, State.ACTIVE, self.now))

    def choose(self, demand: str, *choices: Choice, enterprise: int = 1) -> Demand:
        document = self.document(DemandAction.CHOOSE, uscc_number(enterprise), demand=demand, choices=choices)
        with self.database.transaction("choose") as session:
            return choose_banks(session, document, self.rules, self.now)

    def grab(self, number: int, demand: str) -> None:
        with self.database.transaction("grab") as session:
            grab(session, bank(number), demand, self.rules, self.now)

    def offer(self, number: int, demand: str, *, version: int = 1, key: str = "key", **changes: Any) -> Offer:
        draft = Draft(demand, version, f"{bank(number)}:credit", replace(OFFER, **changes), key)
        with self.database.transaction("offer") as session:
            return make_offer(session, bank(number), draft, self.now)

    def accept(self, demand: str, offer: str, *, version: int = 1, enterprise: int = 1) -> Demand:
        members = {"demand": demand, "offer": offer, "version": version}
        document = self.document(DemandAction.ACCEPT, uscc_number(enterprise), **members)
        with self.database.transaction("accept") as session:
            return accept_offer(session, document, self.now)

    def withdraw(self, demand: str, enterprise: int = 1) -> Demand:
        document = self.document(DemandAction.WITHDRAW, uscc_number(enterprise), demand=demand)
        with self.database.transaction("withdraw") as session:
            return withdraw_demand(session, document, self.now)

    def sweep(self) -> int:
        return sweep(self.database, self.rules, self.now)

    def demand(self, demand: str) -> Demand:
        with self.database.reading() as session:
            return session.get_one(Demand, demand)

    def state(self, demand: str) -> str:
        return self.demand(demand).state

    def places(self, demand: str) -> dict[str, str]:
        """Bank to place, of the version in force."""
        with self.database.reading() as session:
            found = candidates_of(session, session.get_one(Demand, demand))
            return {candidate.bank: candidate.place for candidate in found}

    def candidates(self, demand: str) -> list[Candidate]:
        with self.database.reading() as session:
            return candidates_of(session, session.get_one(Demand, demand))

    def offers(self, demand: str) -> list[Offer]:
        with self.database.reading() as session:
            return offers_of(session, session.get_one(Demand, demand))

    def quota_used(self) -> dict[str, int]:
        with self.database.reading() as session:
            return {product.bank: product.quota_used_fen for product in session.exec(select(Product))}

    def check(self) -> None:
        """What holds at every moment, whatever happened before."""
        with self.database.reading() as session:
            won: dict[str, int] = {}
            for demand in session.exec(select(Demand)):
                _check_demand(session, demand, won)
            for product in session.exec(select(Product)):
                assert product.quota_used_fen == won.get(product.product_id, 0) <= product.quota_fen


def _check_demand(session: Session, demand: Demand, won: dict[str, int]) -> None:
    places = [c.place for c in candidates_of(session, demand)]
    offers = offers_of(session, demand)
    at_work = places.count("held") + places.count("offered")
    live = [offer for offer in offers if offer.state == "live"]
    winners = [offer for offer in offers if offer.state == "accepted"]
    assert places.count("offered") == len(live)
    if demand.state in ("accepted", "fulfilled"):
        (winner,) = winners
        assert (winner.offer_id, places.count("won"), at_work) == (demand.accepted_offer, 1, 0)
        won[winner.product_id] = won.get(winner.product_id, 0) + winner.amount_fen
        return
    assert not winners and "won" not in places
    if demand.state in ("withdrawn", "expired"):
        assert not at_work and "open" not in places
        return
    assert demand.places_taken == at_work <= demand.places
    expected = (
        "offered" if "offered" in places
        else "assigned" if "held" in places
        else "matching" if "open" in places
        else "declined" if {"declined", "lapsed"} & set(places)
        else "posted"
    )  # fmt: skip
    assert demand.state == expected
