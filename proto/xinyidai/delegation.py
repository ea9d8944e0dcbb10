"""Who may sign in an enterprise's place, and for what. Only the enterprise's own key delegates; a delegate cannot."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey

from xinyidai.signing import Claims, DocumentMalformed, VerifyingKey

_COORDINATE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_MASKED: Final = re.compile(r"[^\s*＊]{1,8}[*＊]{1,8}[^\s*＊]{0,2}")
_NO_KEY: Final = "the key must be a public P-256 or Ed25519 JWK"
MAX_DELEGATIONS: Final = 16
"""In force at once, for one enterprise."""
MAX_DELEGATION_DAYS: Final = 366


class Power(StrEnum):
    GRANT = "grant"
    """Authorize, narrow, resume, reconfirm; accept and reject what a bank asks for."""
    CONTROL = "control"
    """Pause and revoke; reject what a bank asks for."""
    VIEW = "view"
    """Read usage, requests, lineage and objections."""
    DISPUTE = "dispute"
    """Object to records, and withdraw objections."""
    BUDGET = "budget"
    """Set what banks may learn in a year."""


@dataclass(frozen=True, slots=True, eq=False)
class Delegation:
    key: VerifyingKey
    powers: frozenset[Power]
    not_after: int
    """Seconds since 1970-01-01 UTC."""
    name: str
    """Of the delegate, masked ("王*"): for the enterprise's own lists; nobody needs more than that."""

    def claims(self) -> dict[str, Any]:
        return {
            "key": key_claims(self.key),
            "powers": sorted(self.powers),
            "not_after": self.not_after,
            "name": self.name,
        }


def parse_delegation(claims: Claims) -> Delegation:
    """Raises `DocumentMalformed`."""
    claims.only("key", "powers", "not_after", "name")
    key = claims.members.get("key")
    if not isinstance(key, dict):
        raise DocumentMalformed("member key must be a JWK")
    try:
        powers = frozenset(Power(name) for name in claims.texts("powers", most=len(Power), each=16))
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("powers are of: " + ", ".join(Power)) from error
    name = claims.text("name", most=18)
    if not _MASKED.fullmatch(name):
        raise DocumentMalformed("mask the delegate's name, as in 王* or Zh**")
    return Delegation(read_key(Claims(key)), powers, claims.instant("not_after"), name)


def key_claims(key: VerifyingKey) -> dict[str, str]:
    """The public JWK (RFC 7517), required members alone."""
    jose: ECKey | OKPKey = (ECKey if key.algorithm == "ES256" else OKPKey).import_key(key.public)  # type: ignore[arg-type]
    found: dict[str, Any] = jose.as_dict(private=False)
    return {name: str(found[name]) for name in ("kty", "crv", "x", "y") if name in found}


def read_key(claims: Claims) -> VerifyingKey:
    """A public P-256 or Ed25519 JWK with its required members and no others. Raises `DocumentMalformed`, also for a
    point that is not on the curve and for a private key."""
    curve = claims.members.get("crv")
    names = ("kty", "crv", "x", "y") if curve == "P-256" else ("kty", "crv", "x")
    claims.only(*names)
    found: dict[str, str | list[str]] = {name: claims.text(name, most=64) for name in names}
    if found["kty"] != ("EC" if curve == "P-256" else "OKP") or curve not in ("P-256", "Ed25519"):
        raise DocumentMalformed(_NO_KEY)
    if not all(_COORDINATE.fullmatch(str(found[name])) for name in names[2:]):
        raise DocumentMalformed(_NO_KEY)
    try:
        public = ECKey.import_key(found).public_key if curve == "P-256" else OKPKey.import_key(found).public_key
        return VerifyingKey(public)  # type: ignore[arg-type]
    except (JoseError, ValueError) as error:
        raise DocumentMalformed(_NO_KEY) from error
