"""The financing market from an enterprise's side: products, demands, and the choice among offers.

What an offer costs is computed here from its terms, by the same rules as everywhere; the platform is not believed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from xinyidai.authorization import Authorization
from xinyidai.cost import Cost, cost_of
from xinyidai.demands import Choice, DemandAction, demand_id
from xinyidai.market import DemandTerms, OfferTerms, parse_offer_terms
from xinyidai.signing import Claims, DocumentMalformed

from clients.wallet.platform import Platform, WalletError
from clients.wallet.terms import GrantTerms

if TYPE_CHECKING:
    from clients.wallet.wallet import Wallet


@dataclass(frozen=True, slots=True)
class OwnOffer:
    offer_id: str
    bank: str
    state: str
    terms: OfferTerms
    cost: Cost


@dataclass(frozen=True, slots=True)
class OwnDemand:
    demand_id: str
    version: int
    state: str
    terms: dict[str, Any]
    candidates: tuple[dict[str, Any], ...]
    """Banks with a product that meets the demand, best first, each with points and reasons."""
    offers: tuple[OwnOffer, ...]
    """Cheapest a year first."""


class WalletMarket:
    """Made by `Wallet.market`. Every method raises `WalletError`."""

    def __init__(self, wallet: "Wallet", platform: Platform, sign: Callable[..., str]) -> None:
        self._wallet = wallet
        self._platform = platform
        self._sign = sign

    def products(self, **filters: Any) -> list[dict[str, Any]]:
        """Cheapest first. Filters: amount_fen, months, region, industry, purpose, guarantee, months_in_business."""
        found: list[dict[str, Any]] = self._platform.get("/v1/products", **filters)["products"]
        return found

    def post(self, terms: DemandTerms) -> OwnDemand:
        """Its id follows from the signed document, so nobody else chooses it."""
        raw = self._sign(DemandAction.POST, terms=terms)
        posted = _demand(self._platform.post("/v1/demands", demand=raw))
        if posted.demand_id != demand_id(raw):
            raise WalletError("平台返回了另一项需求 / the platform answered with another demand")
        return posted

    def change(self, demand: OwnDemand, terms: DemandTerms) -> OwnDemand:
        """While no bank is at work."""
        return self._act(DemandAction.CHANGE, demand=demand.demand_id, version=demand.version, terms=terms)

    def withdraw(self, demand: str) -> OwnDemand:
        return self._act(DemandAction.WITHDRAW, demand=demand)

    def drafts(self, demand: str, banks: Sequence[str], terms: GrantTerms | None = None) -> list[Authorization]:
        """The grants that `choose` would sign, one a bank, bound to this demand; show the notice of each first.

        `terms`: what each bank may learn; its own bank is ignored.
        """
        wanted = terms or GrantTerms("")
        return [replace(self._wallet.draft(replace(wanted, bank=bank)), demand=demand) for bank in banks]

    def choose(self, demand: str, drafts: Sequence[Authorization]) -> OwnDemand:
        """One action: grant to each bank, and give all of them their places, or none."""
        choices = tuple(Choice(draft.bank, self._wallet.authorize(draft)) for draft in drafts)
        return self._act(DemandAction.CHOOSE, demand=demand, choices=choices)

    def accept(self, demand: OwnDemand, offer: OwnOffer) -> OwnDemand:
        """Final for the other banks."""
        return self._act(DemandAction.ACCEPT, demand=demand.demand_id, version=demand.version, offer=offer.offer_id)

    def demands(self) -> list[OwnDemand]:
        """The newest hundred."""
        answer = self._platform.get("/v1/demands", demand=self._sign(DemandAction.READ))
        return [_demand(entry) for entry in answer["demands"]]

    def demand(self, demand: str) -> OwnDemand:
        raw = self._sign(DemandAction.READ, demand=demand)
        return _demand(self._platform.get(f"/v1/demands/{demand}", demand=raw))

    def find(self, beginning: str) -> OwnDemand:
        """The demand whose id begins so. Raises `WalletError` unless exactly one does."""
        found = [entry for entry in self.demands() if entry.demand_id.startswith(beginning)]
        if len(found) != 1:
            raise WalletError("没有或有多个这样的需求 / none or several demands begin so")
        return found[0]

    def _act(self, action: DemandAction, **members: Any) -> OwnDemand:
        return _demand(self._platform.post("/v1/demands", demand=self._sign(action, **members)))


def _demand(entry: dict[str, Any]) -> OwnDemand:
    offers = sorted(
        (_offer(offer) for offer in entry["offers"]), key=lambda o: (o.cost.annualised_bp, o.cost.total_fen, o.offer_id)
    )
    return OwnDemand(
        str(entry["demand_id"]),
        int(entry["version"]),
        str(entry["state"]),
        dict(entry["terms"]),
        tuple(entry["candidates"]),
        tuple(offers),
    )


def _offer(entry: dict[str, Any]) -> OwnOffer:
    try:
        terms = parse_offer_terms(Claims({name: entry[name] for name in OfferTerms.__dataclass_fields__}))
    except DocumentMalformed as error:
        raise WalletError(f"平台给出的报价有误 / the platform sent no valid offer: {error}") from error
    cost = cost_of(terms)
    if (entry["total_cost_fen"], entry["annualised_bp"]) != (cost.total_fen, cost.annualised_bp):
        raise WalletError("平台给出的融资成本与条款不符 / the platform's costs do not follow from the terms")
    return OwnOffer(str(entry["offer_id"]), str(entry["bank"]), str(entry["state"]), terms, cost)
