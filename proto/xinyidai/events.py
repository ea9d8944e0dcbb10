"""What a bank is told of its authorizations: events that the enclave signs in the transaction that changes the state,
and the bank's signed acknowledgement.

Each bank has one sequence of events an enclave, numbered 1, 2, 3, ... without a gap: whoever relays them can hold them
back, but can neither forge nor reorder one, nor leave one out unnoticed once a later one has arrived.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.identifiers import BankId, EnclaveId, IdentifierError, Uscc, parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

EVENT_TYPE: Final = "authorization-event+jwt"
EVENT_ACKNOWLEDGEMENT_TYPE: Final = "event-acknowledgement+jwt"
DELETE_SECONDS: Final = 30 * DAY_SECONDS
"""How long after the end of an authorization a bank may keep what it derived, unless the law makes it keep more."""
MOST_SEQUENCE: Final = 1 << 53


class EventKind(StrEnum):
    AUTHORIZED = "authorized"
    REVOKED = "revoked"
    PAUSED = "paused"
    RESUMED = "resumed"
    NARROWED = "narrowed"
    """A narrower authorization took the place of `parent`, which has ended."""
    EXPIRED = "expired"
    """Of an authorization, or of a request that nobody answered."""
    REJECTED = "rejected"
    """Of a request."""


_ENDING: Final = frozenset({EventKind.REVOKED, EventKind.NARROWED, EventKind.EXPIRED})


class Initiator(StrEnum):
    ENTERPRISE = "enterprise"
    DELEGATE = "delegate"
    """Somebody the enterprise delegated the power to."""
    DATA_HOLDER = "data_holder"
    """After an enterprise lost its key."""
    TIME = "time"


@dataclass(frozen=True, slots=True)
class AuthorizationEvent:
    enclave: EnclaveId
    event_id: str
    bank: BankId
    sequence: int
    """1, 2, 3, ... for this bank and enclave."""
    kind: EventKind
    enterprise: Uscc
    effective_at: int
    """Seconds since 1970-01-01 UTC."""
    initiator: Initiator
    authorization: str | None = None
    """Hex digest; None for what concerns a request alone."""
    request: str | None = None
    """Hex digest of the bank's request that was accepted, rejected or not answered."""
    parent: str | None = None
    """NARROWED: hex digest of the authorization that has ended."""

    @property
    def delete_by(self) -> int | None:
        """When the bank shall have deleted what it derived under an authorization that has ended."""
        ended = self.kind in _ENDING and (self.parent or self.authorization)
        return self.effective_at + DELETE_SECONDS if ended else None

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave,
            "jti": self.event_id,
            "client_id": self.bank,
            "sequence": self.sequence,
            "kind": str(self.kind),
            "sub": self.enterprise,
            "iat": self.effective_at,
            "initiator": str(self.initiator),
        }
        optional = {
            "authorization": self.authorization,
            "request": self.request,
            "parent": self.parent,
            "delete_by": self.delete_by,
        }
        members.update({name: value for name, value in optional.items() if value is not None})
        return key.sign(members, EVENT_TYPE, with_chain=True)


def parse_event(claims: Claims) -> AuthorizationEvent:
    """Raises `DocumentMalformed`. Members a later enclave adds are tolerated: an event grants nothing."""
    digests = {
        name: claims.digest(name) if name in claims.members else None for name in ("authorization", "request", "parent")
    }
    try:
        return AuthorizationEvent(
            enclave=parse_enclave_id(claims.text("iss")),
            event_id=claims.text("jti", most=64),
            bank=parse_bank_id(claims.text("client_id")),
            sequence=claims.integer("sequence", 1, MOST_SEQUENCE),
            kind=EventKind(claims.text("kind", most=32)),
            enterprise=parse_uscc(claims.text("sub")),
            effective_at=claims.instant("iat"),
            initiator=Initiator(claims.text("initiator", most=32)),
            **digests,
        )
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("this version does not know this kind of event") from error


@dataclass(frozen=True, slots=True)
class EventAcknowledgement:
    """A bank's word that it has every event up to one, and acts by them. Signed with its certificate."""

    stamp: Stamp
    sequence: int
    event_id: str
    """Of the event with that sequence number: proof that it was read."""

    def sign(self, key: SigningKey) -> str:
        members = {**self.stamp.claims(), "sequence": self.sequence, "event": self.event_id}
        return key.sign(members, EVENT_ACKNOWLEDGEMENT_TYPE, with_chain=True)


def parse_event_acknowledgement(claims: Claims) -> EventAcknowledgement:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sequence", "event")
    return EventAcknowledgement(
        parse_stamp(claims), claims.integer("sequence", 1, MOST_SEQUENCE), claims.text("event", most=64)
    )
