"""What a bank signs: the registration of a model, and requests for assessments. Both carry the bank's certificate
(x5c), so the enclave checks by itself who asks, and the platform cannot ask in a bank's name."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from xinyidai.authorization import Disclosure
from xinyidai.identifiers import BankId, EnclaveId, IdentifierError, Uscc, parse_enclave_id, parse_uscc
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.signing import Claims, DocumentMalformed, DocumentOutOfTime, SigningKey, signed_digest

REGISTRATION_TYPE: Final = "model-registration+jwt"
REQUEST_TYPE: Final = "assessment-request+jwt"
MAX_ITEMS: Final = 256
MAX_ITEMS_BY_CATEGORY: Final = 12
"""An item by category has an answer a category: this bounds what one request makes the enclave hold."""
MAX_LIFETIME_SECONDS: Final = 300
MAX_SKEW_SECONDS: Final = 60
"""How far another party's clock may be off (FAPI 2.0 refuses what lies more than 60 s in the future)."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who speaks to whom, when, and only once."""

    issuer: str
    audience: tuple[EnclaveId, ...]
    nonce: str
    """jti, 16 to 64 characters from a random generator; spent once within its lifetime."""
    issued_at: int
    expires_at: int

    MEMBERS = ("iss", "aud", "jti", "iat", "exp")

    def claims(self) -> dict[str, Any]:
        return {
            "iss": self.issuer,
            "aud": list(self.audience),
            "jti": self.nonce,
            "iat": self.issued_at,
            "exp": self.expires_at,
        }

    def check_time(self, now: int) -> None:
        """Raises `DocumentOutOfTime`."""
        if not self.issued_at - MAX_SKEW_SECONDS <= now <= self.expires_at + MAX_SKEW_SECONDS:
            raise DocumentOutOfTime("the document is out of its time; check your clock and sign a new one")


def parse_stamp(claims: Claims) -> Stamp:
    """Raises `DocumentMalformed`."""
    try:
        audience = tuple(parse_enclave_id(a) for a in claims.texts("aud", most=8))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    stamp = Stamp(
        claims.text("iss"),
        audience,
        claims.text("jti", most=64),
        claims.instant("iat"),
        claims.instant("exp"),
    )
    if len(stamp.nonce) < 16:
        raise DocumentMalformed("member jti must have at least 16 characters")
    if not 0 < stamp.expires_at - stamp.issued_at <= MAX_LIFETIME_SECONDS:
        raise DocumentMalformed(f"a signed request lives at most {MAX_LIFETIME_SECONDS} s")
    return stamp


@dataclass(frozen=True, slots=True)
class ModelRegistration:
    stamp: Stamp
    parameter_set: str
    catalogue: str
    catalogue_digest: str
    weights_digest: str
    """Hex SHA-256 of the WEIGHTS frame; of a tree ensemble, of its LEAVES, SWITCH and COLUMNS frames in this order."""
    zero_digest: str
    """Hex SHA-256 of the ZERO frame."""

    def sign(self, key: SigningKey) -> str:
        members = {
            **self.stamp.claims(),
            "parameter_set": self.parameter_set,
            "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest,
            "weights_digest": self.weights_digest,
            "zero_digest": self.zero_digest,
        }
        return key.sign(members, REGISTRATION_TYPE, with_chain=True)


def parse_registration(claims: Claims) -> ModelRegistration:
    names = ("parameter_set", "catalogue", "catalogue_digest", "weights_digest", "zero_digest")
    claims.only(*Stamp.MEMBERS, *names)
    values = [claims.text(name, most=128) for name in names]
    return ModelRegistration(parse_stamp(claims), *values)


def model_id(parameter_set: str, catalogue_digest: str, weights: bytes, zero: bytes, bank: BankId) -> str:
    """Hex SHA-256 over length-prefixed parameter set, catalogue, W, P and bank."""
    return _identity(b"model/v1", parameter_set.encode(), catalogue_digest.encode(), weights, zero, bank.encode())


def tree_model_id(registration: ModelRegistration, bank: BankId) -> str:
    """Of a tree ensemble, whose frames are too many to be held at once: the same over their digests."""
    fields = (
        registration.parameter_set,
        registration.catalogue_digest,
        registration.weights_digest,
        registration.zero_digest,
        bank,
    )
    return _identity(b"tree-model/v1", *(field.encode() for field in fields))


def _identity(*fields: bytes) -> str:
    digest = hashlib.sha256()
    for field in fields:
        digest.update(len(field).to_bytes(4, "big") + field)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class AssessmentItem:
    enterprise: Uscc
    authorization: str
    """Hex SHA-256 of the authorization's compact JWS."""


@dataclass(frozen=True, slots=True)
class AssessmentRequest:
    stamp: Stamp
    model: str
    disclosure: Disclosure
    precision_points: int
    fresh: bool
    """False: a stored answer of the same question is returned free of charge. True: evaluate and charge anew."""
    items: tuple[AssessmentItem, ...]

    def sign(self, key: SigningKey) -> str:
        members = {
            **self.stamp.claims(),
            "model": self.model,
            "disclosure": str(self.disclosure),
            "precision_points": self.precision_points,
            "fresh": self.fresh,
            "items": [{"sub": i.enterprise, "authorization": i.authorization} for i in self.items],
        }
        return key.sign(members, REQUEST_TYPE, with_chain=True)


def max_items(disclosure: Disclosure) -> int:
    """How many items one signed request may have."""
    return MAX_ITEMS_BY_CATEGORY if disclosure is Disclosure.BY_CATEGORY else MAX_ITEMS


def parse_request(claims: Claims) -> AssessmentRequest:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "model", "disclosure", "precision_points", "fresh", "items")
    try:
        disclosure = Disclosure(claims.text("disclosure"))
    except ValueError as error:
        raise DocumentMalformed("disclosure is total or by_category") from error
    items = tuple(_parse_item(item) for item in claims.objects("items", most=max_items(disclosure)))
    if len(set(items)) != len(items):
        raise DocumentMalformed("an item occurs twice")
    return AssessmentRequest(
        stamp=parse_stamp(claims),
        model=claims.digest("model"),
        disclosure=disclosure,
        precision_points=claims.integer("precision_points", 0, LINEAR_4096_T1024.max_precision_points),
        fresh=claims.flag("fresh"),
        items=items,
    )


def _parse_item(item: Claims) -> AssessmentItem:
    item.only("sub", "authorization")
    try:
        return AssessmentItem(parse_uscc(item.text("sub")), item.digest("authorization"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def request_digest(raw: str) -> str:
    """Hex SHA-256 of its signing input: a receipt names the request that was charged for."""
    return signed_digest(raw)
