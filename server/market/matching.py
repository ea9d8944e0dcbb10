"""Which products meet a demand, and in which order: hard criteria first, then points by the rules declared here.

Pure functions over terms. Nothing but what both sides declared goes in; no score does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from xinyidai.market import MAX_RATE_BP, DemandTerms, Guarantee, LoanPurpose, OfferTerms, ProductTerms

_PRICE_POINTS: Final = 50
_CREDIT_POINTS: Final = 20
_REGION_POINTS: Final = 15
_INDUSTRY_POINTS: Final = 15


@dataclass(frozen=True, slots=True)
class Listed:
    """A product as the market lists it."""

    product_id: str
    bank: str
    version: int
    terms: ProductTerms
    quota_left_fen: int


@dataclass(frozen=True, slots=True)
class Reasoned:
    """What one rule gives, and why, for people."""

    rule: str
    points: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Ranked:
    product: Listed
    reasons: tuple[Reasoned, ...]

    @property
    def points(self) -> int:
        return sum(reason.points for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a product is looked for by; None: not asked."""

    amount_fen: int | None = None
    months: int | None = None
    region: str | None = None
    industry: str | None = None
    purpose: LoanPurpose | None = None
    guarantees: tuple[Guarantee, ...] | None = None
    months_in_business: int | None = None

    @classmethod
    def of(cls, terms: DemandTerms) -> "Wanted":
        return cls(terms.amount_fen, terms.months, terms.region, terms.industry, terms.purpose, terms.guarantees,
                   terms.months_in_business)  # fmt: skip


def unmet_criteria(product: ProductTerms, wanted: Wanted) -> tuple[str, ...]:
    """Names of the hard criteria that stand in the way; empty when the product may be offered."""
    checks = {
        "amount": wanted.amount_fen is None or product.amount_least_fen <= wanted.amount_fen <= product.amount_most_fen,
        "months": wanted.months is None or product.months_least <= wanted.months <= product.months_most,
        "guarantee": wanted.guarantees is None or product.guarantee in wanted.guarantees,
        "region": wanted.region is None or not product.regions or wanted.region.startswith(product.regions),
        "industry": wanted.industry is None or not product.industries or wanted.industry in product.industries,
        "purpose": wanted.purpose is None or not product.purposes or wanted.purpose in product.purposes,
        "months_in_business": wanted.months_in_business is None
        or wanted.months_in_business >= product.months_in_business_least,
    }
    return tuple(name for name, met in checks.items() if not met)


def outside_product(product: ProductTerms, offer: OfferTerms) -> tuple[str, ...]:
    """Names of the terms of an offer that its product does not allow."""
    checks = {
        "amount_fen": product.amount_least_fen <= offer.amount_fen <= product.amount_most_fen,
        "months": product.months_least <= offer.months <= product.months_most,
        "annual_rate_bp": product.rate_least_bp <= offer.annual_rate_bp <= product.rate_most_bp,
        "repayment": offer.repayment in product.repayments,
    }
    return tuple(name for name, met in checks.items() if not met)


def rank(demand: DemandTerms, products: Iterable[Listed]) -> tuple[Ranked, ...]:
    """The products that meet a demand and have quota for it, best first, one a bank (its best).

    Equal points are settled by the lower rate, then by the product's id, so the order is the same for everyone.
    """
    wanted = Wanted.of(demand)
    met = [
        Ranked(product, explain_points(demand, product.terms))
        for product in products
        if product.quota_left_fen >= demand.amount_fen and not unmet_criteria(product.terms, wanted)
    ]
    met.sort(key=lambda r: (-r.points, r.product.terms.rate_least_bp, r.product.product_id))
    best: dict[str, Ranked] = {}
    for ranked in met:
        best.setdefault(ranked.product.bank, ranked)
    return tuple(best.values())


def explain_points(demand: DemandTerms, product: ProductTerms) -> tuple[Reasoned, ...]:
    """Every rule with what it gives, rules that give nothing left out."""
    price = _PRICE_POINTS * (MAX_RATE_BP - product.rate_most_bp) // MAX_RATE_BP
    highest = f"{product.rate_most_bp / 100:.2f}%"
    rules = (
        Reasoned("price", price, f"年利率最高 {highest}", f"at most {highest} a year"),
        Reasoned(
            "credit",
            _CREDIT_POINTS if product.guarantee is Guarantee.CREDIT else 0,
            "信用贷款,无需担保",
            "needs no security",
        ),
        Reasoned(
            "region",
            _REGION_POINTS if product.regions else 0,
            f"面向所在地区 {demand.region}",
            f"made for the region {demand.region}",
        ),
        Reasoned(
            "industry",
            _INDUSTRY_POINTS if product.industries else 0,
            f"面向所属行业 {demand.industry}",
            f"made for industry {demand.industry}",
        ),
    )
    return tuple(rule for rule in rules if rule.points)
