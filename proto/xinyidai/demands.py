"""What an enterprise signs on the market: a JWS of type `demand+jwt` with the registrar's certificate in x5c.

The platform verifies these by itself: demands are its own business, and say nothing about records.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.identifiers import BankId, IdentifierError, Uscc, parse_bank_id, parse_uscc
from xinyidai.market import MAX_PLACES, DemandTerms, parse_demand_terms
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

DEMAND_TYPE: Final = "demand+jwt"
_MAX_ID: Final = 64


class DemandAction(StrEnum):
    POST = "post"
    CHANGE = "change"
    WITHDRAW = "withdraw"
    CHOOSE = "choose"
    ACCEPT = "accept"
    READ = "read"
    """Shows the enterprise its own demands; changes nothing."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A bank that shall work on a demand, and the authorization by which it may assess the enterprise for it."""

    bank: BankId
    authorization: str
    """Hex digest of the authorization's compact JWS; its `demand` member names the demand."""


@dataclass(frozen=True, slots=True)
class DemandDocument:
    stamp: Stamp
    enterprise: Uscc
    action: DemandAction
    demand: str | None = None
    """Id of the demand; absent when posting, optional when reading."""
    version: int | None = None
    """change: the version that is replaced. accept: the version the offer was made for."""
    terms: DemandTerms | None = None
    """post, change."""
    choices: tuple[Choice, ...] = ()
    """choose: 1 to 5 banks."""
    offer: str | None = None
    """accept: id of the offer."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {**self.stamp.claims(), "sub": self.enterprise, "action": str(self.action)}
        optional = {
            "demand": self.demand,
            "version": self.version,
            "terms": self.terms.claims() if self.terms else None,
            "choices": [{"client_id": c.bank, "authorization": c.authorization} for c in self.choices] or None,
            "offer": self.offer,
        }
        members.update({name: value for name, value in optional.items() if value is not None})
        return key.sign(members, DEMAND_TYPE, with_chain=True)


_NEEDED: Final = {
    DemandAction.POST: {"terms"},
    DemandAction.CHANGE: {"demand", "version", "terms"},
    DemandAction.WITHDRAW: {"demand"},
    DemandAction.CHOOSE: {"demand", "choices"},
    DemandAction.ACCEPT: {"demand", "version", "offer"},
    DemandAction.READ: set(),
}
_OPTIONAL: Final = {DemandAction.READ: {"demand"}}


def parse_demand_document(claims: Claims) -> DemandDocument:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "action", "demand", "version", "terms", "choices", "offer")
    try:
        action = DemandAction(claims.text("action"))
        enterprise = parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed(f"action is one of: {', '.join(DemandAction)}") from error
    if claims.text("iss") != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    present = set(claims.members) - set(Stamp.MEMBERS) - {"sub", "action"}
    needed = _NEEDED[action]
    if not needed <= present <= needed | _OPTIONAL.get(action, set()):
        raise DocumentMalformed(f"{action} needs exactly these members: {', '.join(sorted(needed)) or 'none'}")
    return DemandDocument(
        stamp=parse_stamp(claims),
        enterprise=enterprise,
        action=action,
        demand=claims.optional_text("demand", most=_MAX_ID),
        version=claims.integer("version", 1, 1_000_000) if "version" in present else None,
        terms=_terms(claims) if "terms" in present else None,
        choices=_choices(claims) if "choices" in present else (),
        offer=claims.optional_text("offer", most=_MAX_ID),
    )


def demand_id(raw: str) -> str:
    """The id of the demand that this signed document posts: 32 hex digits of its SHA-256."""
    return hashlib.sha256(raw.encode()).hexdigest()[:32]


def _terms(claims: Claims) -> DemandTerms:
    members = claims.members["terms"]
    if not isinstance(members, dict):
        raise DocumentMalformed("member terms must be an object")
    return parse_demand_terms(Claims(members))


def _choices(claims: Claims) -> tuple[Choice, ...]:
    found = []
    for entry in claims.objects("choices", most=MAX_PLACES):
        entry.only("client_id", "authorization")
        try:
            found.append(Choice(parse_bank_id(entry.text("client_id")), entry.text("authorization", most=64)))
        except IdentifierError as error:
            raise DocumentMalformed(str(error)) from error
    if len({choice.bank for choice in found}) != len(found):
        raise DocumentMalformed("member choices names a bank twice")
    return tuple(found)
