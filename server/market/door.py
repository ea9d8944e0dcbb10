"""Where documents signed by enterprises come in: verified against the registrar, and spent once."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from xinyidai.identifiers import Uscc
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.requests import MAX_SKEW_SECONDS, Stamp
from xinyidai.signing import Claims, VerifyingKey

from server.enterprises.models import Enterprise
from server.errors import AudienceUnknown
from server.market.errors import KeyReplaced, NonceSpent
from server.market.models import SpentNonce


class Signed(Protocol):
    @property
    def stamp(self) -> Stamp: ...

    @property
    def enterprise(self) -> Uscc: ...


Document = TypeVar("Document", bound=Signed)


@dataclass(frozen=True, slots=True)
class Verified(Generic[Document]):
    raw: str
    document: Document
    key_thumbprint: str


class EnterpriseDoor:
    """`audience`: names under which this platform is spoken to."""

    def __init__(self, registrar: TrustAnchor, audience: Collection[str]) -> None:
        self._registrar = registrar
        self._audience = frozenset(audience)

    def verify(self, raw: str, kind: str, parse: Callable[[Claims], Document], now: int) -> Verified[Document]:
        """A document of the JWS type `kind`. `spend` it in the transaction that acts. Raises `Refused`,
        `DocumentError`."""
        signed = verify_with_chain(raw, kind, self._registrar)
        document = parse(signed.claims)
        if signed.identity.name != document.enterprise:
            raise KeyReplaced()
        document.stamp.check_time(now)
        if self._audience.isdisjoint(document.stamp.audience):
            raise AudienceUnknown("aud names nothing of this platform; name its enclaves")
        return Verified(raw, document, VerifyingKey.of_certificate(signed.certificate).thumbprint)


def spend(session: Session, verified: Verified[Document]) -> None:
    """Once, with the key the enterprise uses now. Raises `NonceSpent`, `KeyReplaced`."""
    enterprise, stamp = verified.document.enterprise, verified.document.stamp
    known = session.get(Enterprise, enterprise)
    if known is None or known.key_thumbprint != verified.key_thumbprint:
        raise KeyReplaced()
    # Its own skew on top: forgotten only when it cannot be used any more.
    row = {"enterprise": enterprise, "nonce": stamp.nonce, "until": stamp.expires_at + 2 * MAX_SKEW_SECONDS}
    try:
        session.execute(insert(SpentNonce), [row])
    except IntegrityError as error:
        raise NonceSpent() from error
