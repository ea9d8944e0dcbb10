"""Acknowledgements: the enclave's signed word that it carried out what an enterprise signed.

Without one, whoever relays a statement could withhold it and say that it was carried out. An acknowledgement names the
digest of exactly the document it answers, so it stands for no other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_enclave_id, parse_uscc
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, read_unverified

ACKNOWLEDGEMENT_TYPE: Final = "acknowledgement+jwt"
AUTHORIZE: Final = "authorize"
"""The kind that acknowledges an authorization; the other kinds are the actions of statements."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    enclave: EnclaveId
    enterprise: Uscc
    kind: str
    """`authorize`, or the action of the statement."""
    document: str
    """Digest of the signing input of what the enterprise signed."""
    authorization: str | None
    """Digest of the authorization it was about, if any: the one that the enterprise named."""
    state: str | None
    """State from then on, of that authorization or of what it was narrowed to: active, paused, revoked or expired."""
    sequence: int
    """1, 2, 3 ... for each enterprise: a missing number is a missing acknowledgement."""
    done_at: int
    """Seconds since 1970-01-01 UTC."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave,
            "sub": self.enterprise,
            "kind": self.kind,
            "document": self.document,
            "sequence": self.sequence,
            "iat": self.done_at,
        }
        optional = {"authorization": self.authorization, "state": self.state}
        members.update({name: value for name, value in optional.items() if value is not None})
        return key.sign(members, ACKNOWLEDGEMENT_TYPE, with_chain=True)


def parse_acknowledgement(claims: Claims) -> Acknowledgement:
    """Raises `DocumentMalformed`. Members a later enclave adds are tolerated: an acknowledgement grants nothing."""
    try:
        return Acknowledgement(
            enclave=parse_enclave_id(claims.text("iss")),
            enterprise=parse_uscc(claims.text("sub")),
            kind=claims.text("kind", most=64),
            document=claims.digest("document"),
            authorization=claims.digest("authorization") if "authorization" in claims.members else None,
            state=claims.optional_text("state", most=32),
            sequence=claims.integer("sequence", 1, 1 << 53),
            done_at=claims.instant("iat"),
        )
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def verify_acknowledgement(raw: str, document: str, anchor: TrustAnchor) -> Acknowledgement:
    """The acknowledgement of the document with this digest, signed by the enclave it names. Raises `DocumentError`."""
    signed_at = datetime.fromtimestamp(read_unverified(raw).instant("iat"), UTC)
    signed = verify_with_chain(raw, ACKNOWLEDGEMENT_TYPE, anchor, signed_at)
    found = parse_acknowledgement(signed.claims)
    if signed.identity.name != found.enclave:
        raise DocumentMalformed("the acknowledgement names another enclave than its certificate")
    if found.document != document:
        raise DocumentMalformed("the acknowledgement is of another document")
    return found
