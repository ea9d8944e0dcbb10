"""The vocabulary of the financing market: what banks offer, what enterprises ask for, and the bounds of both.

Money is in fen (integer), rates in basis points a year (1 bp = 0.01 %), terms in months, times in seconds since
1970-01-01 UTC. Regions are administrative codes of GB/T 2260 or a beginning of one; industries are the sections A to T
of GB/T 4754.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from xinyidai.signing import Claims, DocumentMalformed

MAX_FEN: Final = 10**13
"""100 billion yuan."""
MAX_MONTHS: Final = 360
MAX_RATE_BP: Final = 3_600
MAX_PLACES: Final = 5
"""How many banks may work on one demand at a time."""
INDUSTRIES: Final = "ABCDEFGHIJKLMNOPQRST"
Kind = TypeVar("Kind", bound=StrEnum)


class Repayment(StrEnum):
    EQUAL_INSTALMENTS = "equal_instalments"
    """等额本息: the same sum every month."""
    EQUAL_PRINCIPAL = "equal_principal"
    """等额本金: the same principal every month, and the interest on what is left."""
    INTEREST_MONTHLY = "interest_monthly"
    """先息后本: interest every month, the principal at the end."""
    BULLET = "bullet"
    """到期还本付息: everything at the end, simple interest."""


class Guarantee(StrEnum):
    CREDIT = "credit"
    """No security at all."""
    GUARANTOR = "guarantor"
    POLICY_GUARANTEE = "policy_guarantee"
    """A public guarantee company or risk fund."""
    PLEDGE = "pledge"
    MORTGAGE = "mortgage"


class LoanPurpose(StrEnum):
    WORKING_CAPITAL = "working_capital"
    RAW_MATERIALS = "raw_materials"
    EQUIPMENT = "equipment"
    EXPANSION = "expansion"
    RESEARCH = "research"
    REFINANCING = "refinancing"
    OTHER = "other"


class DeclineReason(StrEnum):
    """Why a bank does not want a demand. The enterprise sees it; none of them tells a score."""

    POLICY = "policy"
    ASSESSMENT = "assessment"
    NO_AUTHORIZATION = "no_authorization"
    AMOUNT = "amount"
    TERM = "term"
    INDUSTRY = "industry"
    REGION = "region"
    GUARANTEE = "guarantee"
    EXISTING_EXPOSURE = "existing_exposure"
    NO_CAPACITY = "no_capacity"
    OFFER_WITHDRAWN = "offer_withdrawn"


class DemandState(StrEnum):
    POSTED = "posted"
    """No product meets it; a new product may."""
    MATCHING = "matching"
    """At least one bank may grab it, none has."""
    ASSIGNED = "assigned"
    """At least one bank holds a place, none has made an offer."""
    OFFERED = "offered"
    """At least one offer stands."""
    ACCEPTED = "accepted"
    FULFILLED = "fulfilled"
    """The bank that won has paid out."""
    DECLINED = "declined"
    """Every bank that could declined it or let its time pass; a change or a new product opens it again."""
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class OfferState(StrEnum):
    LIVE = "live"
    ACCEPTED = "accepted"
    CLOSED = "closed"
    """Another offer won, or the demand ended."""
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ProductTerms:
    """One version of a loan product."""

    name_zh: str
    name_en: str
    amount_least_fen: int
    amount_most_fen: int
    months_least: int
    months_most: int
    rate_least_bp: int
    rate_most_bp: int
    repayments: tuple[Repayment, ...]
    guarantee: Guarantee
    quota_fen: int
    """What the bank will lend under this product in all, over its versions."""
    valid_until: int
    regions: tuple[str, ...] = ()
    """Empty: everywhere."""
    industries: tuple[str, ...] = ()
    """Empty: every one."""
    purposes: tuple[LoanPurpose, ...] = ()
    """Empty: every one."""
    months_in_business_least: int = 0

    def claims(self) -> dict[str, Any]:
        return _members(self)


@dataclass(frozen=True, slots=True)
class DemandTerms:
    """One version of what an enterprise asks for. What it says of itself is declared, and checked by nobody here."""

    amount_fen: int
    months: int
    purpose: LoanPurpose
    guarantees: tuple[Guarantee, ...]
    """What the enterprise can give; `credit` stands for a loan without security."""
    region: str
    industry: str
    months_in_business: int
    places: int
    """How many banks may work on it at a time, 1 to 5."""
    expires_at: int

    def claims(self) -> dict[str, Any]:
        return _members(self)


@dataclass(frozen=True, slots=True)
class OfferTerms:
    amount_fen: int
    annual_rate_bp: int
    months: int
    fee_fen: int
    """Everything besides interest, paid when the loan is."""
    repayment: Repayment
    valid_until: int

    def claims(self) -> dict[str, Any]:
        return _members(self)


def parse_product_terms(claims: Claims) -> ProductTerms:
    """Raises `DocumentMalformed`."""
    claims.only(*ProductTerms.__dataclass_fields__)
    terms = ProductTerms(
        name_zh=claims.text("name_zh", most=64),
        name_en=claims.text("name_en", most=128),
        amount_least_fen=claims.integer("amount_least_fen", 1, MAX_FEN),
        amount_most_fen=claims.integer("amount_most_fen", 1, MAX_FEN),
        months_least=claims.integer("months_least", 1, MAX_MONTHS),
        months_most=claims.integer("months_most", 1, MAX_MONTHS),
        rate_least_bp=claims.integer("rate_least_bp", 0, MAX_RATE_BP),
        rate_most_bp=claims.integer("rate_most_bp", 0, MAX_RATE_BP),
        repayments=_choices(claims, "repayments", Repayment),
        guarantee=_choice(claims, "guarantee", Guarantee),
        quota_fen=claims.integer("quota_fen", 0, MAX_FEN),
        valid_until=claims.instant("valid_until"),
        regions=tuple(_region(code, 2) for code in _optional_texts(claims, "regions", 256)),
        industries=tuple(_industry(code) for code in _optional_texts(claims, "industries", len(INDUSTRIES))),
        purposes=_choices(claims, "purposes", LoanPurpose) if claims.members.get("purposes") else (),
        months_in_business_least=claims.integer("months_in_business_least", 0, 1_200),
    )
    for least, most in (("amount_least_fen", "amount_most_fen"), ("months_least", "months_most"),
                        ("rate_least_bp", "rate_most_bp")):  # fmt: skip
        if getattr(terms, least) > getattr(terms, most):
            raise DocumentMalformed(f"{least} must not exceed {most}")
    return terms


def parse_demand_terms(claims: Claims) -> DemandTerms:
    """Raises `DocumentMalformed`."""
    claims.only(*DemandTerms.__dataclass_fields__)
    return DemandTerms(
        amount_fen=claims.integer("amount_fen", 1, MAX_FEN),
        months=claims.integer("months", 1, MAX_MONTHS),
        purpose=_choice(claims, "purpose", LoanPurpose),
        guarantees=_choices(claims, "guarantees", Guarantee),
        region=_region(claims.text("region", most=6), 6),
        industry=_industry(claims.text("industry", most=1)),
        months_in_business=claims.integer("months_in_business", 0, 1_200),
        places=claims.integer("places", 1, MAX_PLACES),
        expires_at=claims.instant("expires_at"),
    )


def parse_offer_terms(claims: Claims) -> OfferTerms:
    """Raises `DocumentMalformed`."""
    claims.only(*OfferTerms.__dataclass_fields__)
    terms = OfferTerms(
        amount_fen=claims.integer("amount_fen", 1, MAX_FEN),
        annual_rate_bp=claims.integer("annual_rate_bp", 0, MAX_RATE_BP),
        months=claims.integer("months", 1, MAX_MONTHS),
        fee_fen=claims.integer("fee_fen", 0, MAX_FEN),
        repayment=_choice(claims, "repayment", Repayment),
        valid_until=claims.instant("valid_until"),
    )
    if terms.fee_fen >= terms.amount_fen:
        raise DocumentMalformed("fee_fen must be less than the loan")
    return terms


def parse_decline_reason(raw: str) -> DeclineReason:
    """Raises `DocumentMalformed`."""
    return _choice(Claims({"reason": raw}), "reason", DeclineReason)


def _members(terms: Any) -> dict[str, Any]:
    values = {name: getattr(terms, name) for name in terms.__dataclass_fields__}
    return {
        name: [str(entry) for entry in value] if isinstance(value, tuple) else _plain(value)
        for name, value in values.items()
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, StrEnum) else value


def _choice(claims: Claims, name: str, kind: type[Kind]) -> Kind:
    try:
        return kind(claims.text(name, most=64))
    except ValueError as error:
        raise DocumentMalformed(f"member {name} is one of: {', '.join(kind)}") from error


def _choices(claims: Claims, name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    try:
        return tuple(kind(text) for text in claims.texts(name, most=len(kind), each=64))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed(f"member {name} holds some of: {', '.join(kind)}") from error


def _optional_texts(claims: Claims, name: str, most: int) -> tuple[str, ...]:
    return claims.texts(name, most=most, each=16) if claims.members.get(name, []) != [] else ()


def _region(code: str, least: int) -> str:
    if not (least <= len(code) <= 6 and code.isascii() and code.isdigit()):
        raise DocumentMalformed("a region is a code of six digits, or for products a beginning of one")
    return code


def _industry(code: str) -> str:
    if len(code) != 1 or code not in INDUSTRIES:
        raise DocumentMalformed("an industry is a section of GB/T 4754, A to T")
    return code
