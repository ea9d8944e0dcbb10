"""The authorization: a JWS of type `authz+jwt` that an enterprise signs with its own key. The signed part never
changes; its state (active, paused, revoked, expired, use count) is kept outside it, by the enclave.

Members: RFC 7519 claims, `cnf` with x5t#S256 (RFC 8705), and one object of `authorization_details` (RFC 9396).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from xinyidai.identifiers import (
    BankId,
    EnclaveId,
    IdentifierError,
    Uscc,
    parse_bank_id,
    parse_enclave_id,
    parse_uscc,
)
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, VerifyingKey, read_unverified, signed_digest

AUTHORIZATION_TYPE: Final = "authz+jwt"
_DETAIL_TYPE: Final = "credit_assessment"
_MEMBERS: Final = (
    "iss", "sub", "aud", "jti", "iat", "nbf", "exp", "client_id", "cnf", "notice_hash", "authorization_details"
)  # fmt: skip
_DETAIL_MEMBERS: Final = (
    "type", "categories", "purpose", "purpose_version", "disclosure", "precision_points", "max_assessments",
    "catalogue", "catalogue_digest", "term_end", "demand", "parent", "request",
)  # fmt: skip
_OPTIONAL: Final = ("term_end", "demand", "parent", "request")
BY_CATEGORY_PRECISION: Final = 31
"""Default precision when disclosing by category: about 4 bits an answer."""


class Disclosure(StrEnum):
    TOTAL = "total"
    BY_CATEGORY = "by_category"


@dataclass(frozen=True, slots=True)
class Authorization:
    enterprise: Uscc
    enclaves: tuple[EnclaveId, ...]
    authorization_id: str
    """jti, 16 to 64 characters, unique for the enterprise."""
    issued_at: int
    not_before: int
    expires_at: int
    """Seconds since 1970-01-01 UTC."""
    bank: BankId
    bank_certificate: str
    """x5t#S256 of the only certificate that may use this authorization."""
    notice_hash: str
    """Hex SHA-256 of the text the enterprise was shown (xinyidai.notice)."""
    categories: tuple[str, ...]
    """Category codes in catalogue order; every other category is scored in its not-authorized cells."""
    purpose: str
    purpose_version: int
    disclosure: Disclosure
    precision_points: int
    """The bank learns the score to within this many points, and no finer."""
    max_assessments: int
    catalogue: str
    catalogue_digest: str
    term_end: int | None = None
    """End of the loan, where the purpose needs one."""
    demand: str | None = None
    """Id of the financing demand this grant belongs to, if any."""
    parent: str | None = None
    """Hex digest of the authorization that this narrower one replaces, if any."""
    request: str | None = None
    """Hex digest of the bank's request that this one accepts, if any."""

    def claims(self) -> dict[str, Any]:
        details: dict[str, Any] = {
            "type": _DETAIL_TYPE,
            "categories": list(self.categories),
            "purpose": self.purpose,
            "purpose_version": self.purpose_version,
            "disclosure": str(self.disclosure),
            "precision_points": self.precision_points,
            "max_assessments": self.max_assessments,
            "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest,
        }
        for name in _OPTIONAL:
            if (value := getattr(self, name)) is not None:
                details[name] = value
        return {
            "iss": self.enterprise,
            "sub": self.enterprise,
            "aud": list(self.enclaves),
            "jti": self.authorization_id,
            "iat": self.issued_at,
            "nbf": self.not_before,
            "exp": self.expires_at,
            "client_id": self.bank,
            "cnf": {"x5t#S256": self.bank_certificate},
            "notice_hash": self.notice_hash,
            "authorization_details": [details],
        }

    def centibits_each(self) -> int:
        """Cap of one assessment in hundredths of a bit, all its answers together."""
        answers = len(self.categories) if self.disclosure is Disclosure.BY_CATEGORY else 1
        return answers * LINEAR_4096_T1024.centibits(self.precision_points)

    def sign(self, key: SigningKey) -> str:
        return key.sign(self.claims(), AUTHORIZATION_TYPE)


def verify_authorization(raw: str, key: VerifyingKey) -> Authorization:
    """The authorization, if `key` signed it and every member is well formed. Raises `DocumentError`.

    Not checked here: time, state, purpose limits, notice, budgets. The enclave's authority checks those.
    """
    return _parse(key.verify(raw, AUTHORIZATION_TYPE))


def read_unverified_authorization(raw: str) -> Authorization:
    """For finding the key to verify with and for display; grants nothing. Raises `DocumentMalformed`."""
    return _parse(read_unverified(raw))


def authorization_digest(raw: str) -> str:
    """Hex SHA-256 of its signing input: how requests and receipts name an authorization."""
    return signed_digest(raw)


def _parse(claims: Claims) -> Authorization:
    claims.only(*_MEMBERS)
    (details,) = claims.objects("authorization_details", most=1)
    details.only(*_DETAIL_MEMBERS)
    if details.text("type") != _DETAIL_TYPE:
        raise DocumentMalformed(f"authorization_details must be of type {_DETAIL_TYPE}")
    confirmation = claims.members.get("cnf")
    if not isinstance(confirmation, dict):
        raise DocumentMalformed("member cnf must be an object")
    try:
        enterprise = parse_uscc(claims.text("sub"))
        bank = parse_bank_id(claims.text("client_id"))
        enclaves = tuple(parse_enclave_id(a) for a in claims.texts("aud", most=8))
        disclosure = Disclosure(details.text("disclosure"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        raise DocumentMalformed("disclosure is total or by_category") from error
    if claims.text("iss") != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    if len(authorization_id := claims.text("jti", most=64)) < 16:
        raise DocumentMalformed("member jti must have at least 16 characters")
    authorization = Authorization(
        enterprise=enterprise,
        enclaves=enclaves,
        authorization_id=authorization_id,
        issued_at=claims.instant("iat"),
        not_before=claims.instant("nbf"),
        expires_at=claims.instant("exp"),
        bank=bank,
        bank_certificate=Claims(confirmation).only("x5t#S256").text("x5t#S256", most=43),
        notice_hash=claims.digest("notice_hash"),
        categories=details.texts("categories", most=256, each=64),
        purpose=details.text("purpose", most=64),
        purpose_version=details.integer("purpose_version", 1, 1_000_000),
        disclosure=disclosure,
        precision_points=details.integer("precision_points", 0, LINEAR_4096_T1024.max_precision_points),
        max_assessments=details.integer("max_assessments", 1, 10_000),
        catalogue=details.text("catalogue", most=128),
        catalogue_digest=details.digest("catalogue_digest"),
        term_end=details.instant("term_end") if "term_end" in details.members else None,
        demand=details.optional_text("demand", most=64),
        parent=details.digest("parent") if "parent" in details.members else None,
        request=details.digest("request") if "request" in details.members else None,
    )
    if not authorization.not_before < authorization.expires_at:
        raise DocumentMalformed("exp must lie after nbf")
    return authorization
