"""Schemes of risk sharing as data: a TOML file each, read strictly. An unknown member, a gap or a sum that does not
come out is refused with its place."""

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from xinyidai.loans import CLASSES, RiskClass, parse_risk_class
from xinyidai.market import MAX_FEN, MAX_MONTHS, MAX_RATE_BP, Guarantee
from xinyidai.signing import Claims, DocumentMalformed

from server.risk.errors import SchemeInvalid
from server.risk.money import BASIS

BANK: Final = "bank"
PARTIES: Final = (BANK, "guarantor", "city", "province", "national")
_MAX_BYTES: Final = 64 * 1024
_MAX_DAYS: Final = 3_660
_TOP: Final = (
    "id", "version", "name_zh", "name_en", "valid_from", "valid_until", "sources", "tiers", "recovery", "caps",
    "eligibility", "filing", "trigger", "fuse",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caps:
    """In fen of principal filed."""

    loan_fen: int
    firm_fen: int
    """Of one enterprise, outstanding at a time."""
    bank_year_fen: int
    """Of one bank, filed in a calendar year."""
    year_fen: int
    """Of all banks, filed in a calendar year."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    guarantees: tuple[Guarantee, ...]
    months_most: int
    rate_most_bp: int
    regions: tuple[str, ...]
    """Beginnings of six-digit codes; empty: everywhere."""
    confirmed: bool
    """Only loans the enterprise confirmed by its signature."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """When compensation may be claimed: either is enough."""

    overdue_days: int
    risk_class: RiskClass
    claim_days: int
    """Days from the first overdue day within which the claim must come."""

    def met(self, overdue_days: int, risk_class: RiskClass) -> bool:
        return overdue_days >= self.overdue_days or CLASSES.index(risk_class) >= CLASSES.index(self.risk_class)


@dataclass(frozen=True, slots=True)
class Fuse:
    """By the share of filed principal for which compensation was claimed."""

    warn_bp: int
    pause_bp: int
    least_filed_fen: int
    """Below so much filed principal the share says nothing yet."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One version, in force for loans paid out from `valid_from` to `valid_until`, both included."""

    scheme_id: str
    version: int
    name_zh: str
    name_en: str
    valid_from: date
    valid_until: date
    sources: tuple[str, ...]
    """Where each figure is from, and how sure that is."""
    tiers: dict[str, int]
    """Party to share in basis points; together 10,000."""
    recovery: dict[str, int]
    """Party to share of what is recovered; together 10,000."""
    caps: Caps
    eligibility: Eligibility
    filing_days: int
    trigger: Trigger
    fuse: Fuse


def parse_scheme(raw: bytes) -> Scheme:
    """Raises `SchemeInvalid`."""
    if len(raw) > _MAX_BYTES:
        raise SchemeInvalid(f"a scheme has at most {_MAX_BYTES} bytes")
    try:
        claims = Claims(tomllib.loads(raw.decode())).only(*_TOP)
        return _scheme(claims)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, DocumentMalformed, RecursionError) as error:
        raise SchemeInvalid(f"方案文件有误 / the scheme cannot be used: {error}") from error


def _scheme(claims: Claims) -> Scheme:
    caps, eligibility = _table(claims, "caps"), _table(claims, "eligibility")
    filing = _table(claims, "filing").only("within_days")
    scheme = Scheme(
        scheme_id=_identifier(claims),
        version=claims.integer("version", 1, 10_000),
        name_zh=claims.text("name_zh", most=64),
        name_en=claims.text("name_en", most=128),
        valid_from=_day(claims, "valid_from"),
        valid_until=_day(claims, "valid_until"),
        sources=claims.texts("sources", most=32, each=512),
        tiers=_shares(claims, "tiers"),
        recovery=_shares(claims, "recovery"),
        caps=_caps(caps),
        eligibility=_eligibility(eligibility),
        filing_days=filing.integer("within_days", 1, _MAX_DAYS),
        trigger=_trigger(_table(claims, "trigger")),
        fuse=_fuse(_table(claims, "fuse")),
    )
    if scheme.valid_from > scheme.valid_until:
        raise DocumentMalformed("valid_from must not lie behind valid_until")
    if set(scheme.recovery) - set(scheme.tiers):
        raise DocumentMalformed("recovery names a party that bears nothing")
    return scheme


def _identifier(claims: Claims) -> str:
    found = claims.text("id", most=32)
    if not all(c.isascii() and (c.islower() or c.isdigit() or c == "-") for c in found):
        raise DocumentMalformed("member id has the characters a-z, 0-9 and hyphen")
    return found


def _caps(claims: Claims) -> Caps:
    claims.only(*Caps.__dataclass_fields__)
    caps = Caps(**{name: claims.integer(name, 1, MAX_FEN) for name in Caps.__dataclass_fields__})
    if not caps.loan_fen <= caps.firm_fen <= caps.year_fen or not caps.loan_fen <= caps.bank_year_fen <= caps.year_fen:
        raise DocumentMalformed("caps rise from loan_fen over firm_fen and bank_year_fen to year_fen")
    return caps


def _eligibility(claims: Claims) -> Eligibility:
    claims.only(*Eligibility.__dataclass_fields__)
    regions = claims.texts("regions", most=256, each=6) if claims.members.get("regions") else ()
    if not all(code.isascii() and code.isdigit() and len(code) >= 2 for code in regions):
        raise DocumentMalformed("member regions holds beginnings of six-digit codes, two digits at least")
    try:
        guarantees = tuple(Guarantee(text) for text in claims.texts("guarantees", most=len(Guarantee)))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed(f"member guarantees holds some of: {', '.join(Guarantee)}") from error
    return Eligibility(
        guarantees=guarantees,
        months_most=claims.integer("months_most", 1, MAX_MONTHS),
        rate_most_bp=claims.integer("rate_most_bp", 1, MAX_RATE_BP),
        regions=regions,
        confirmed=claims.flag("confirmed"),
    )


def _trigger(claims: Claims) -> Trigger:
    claims.only(*Trigger.__dataclass_fields__)
    days = claims.integer("overdue_days", 1, _MAX_DAYS)
    return Trigger(days, parse_risk_class(claims.text("risk_class")), claims.integer("claim_days", days, _MAX_DAYS))


def _fuse(claims: Claims) -> Fuse:
    claims.only(*Fuse.__dataclass_fields__)
    pause = claims.integer("pause_bp", 1, BASIS)
    return Fuse(claims.integer("warn_bp", 1, pause), pause, claims.integer("least_filed_fen", 0, MAX_FEN))


def _shares(claims: Claims, name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in claims.objects(name, most=len(PARTIES)):
        entry.only("party", "share_bp")
        party = entry.text("party")
        if party not in PARTIES or party in found:
            raise DocumentMalformed(f"{name} names each of these parties once at most: {', '.join(PARTIES)}")
        found[party] = entry.integer("share_bp", 1, BASIS)
    if sum(found.values()) != BASIS:
        raise DocumentMalformed(f"the shares of {name} sum to {sum(found.values())} basis points, not to {BASIS}")
    return found


def _table(claims: Claims, name: str) -> Claims:
    members: Any = claims.members.get(name)
    if not isinstance(members, dict):
        raise DocumentMalformed(f"member {name} must be a table")
    return Claims(members)


def _day(claims: Claims, name: str) -> date:
    found = claims.members.get(name)
    # A moment of TOML is a date too, by its class.
    if type(found) is not date:
        raise DocumentMalformed(f"member {name} must be a day, like 2026-01-01")
    return found
