"""Receipts: what the enclave signs about each assessment and each registered model.

A receipt names an assessment id and digests of answers (which are uniform to everyone but the bank), never a hash of a
record, and never a score: the enclave has none.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from xinyidai.authorization import Disclosure
from xinyidai.identifiers import (
    BankId,
    EnclaveId,
    IdentifierError,
    Uscc,
    parse_bank_id,
    parse_enclave_id,
    parse_uscc,
)
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

RECEIPT_TYPE: Final = "receipt+jwt"
MODEL_RECEIPT_TYPE: Final = "model-receipt+jwt"


@dataclass(frozen=True, slots=True)
class AnswerDigest:
    category: str
    """Empty for the total."""
    digest: str
    """Hex SHA-256 of the answer frame."""


@dataclass(frozen=True, slots=True)
class Receipt:
    enclave: EnclaveId
    assessment_id: str
    charged_at: int
    """Seconds since 1970-01-01 UTC, when the ledger was charged."""
    enterprise: Uscc
    bank: BankId
    model: str
    parameter_set: str
    authorization: str
    """Hex digest of the authorization's compact JWS."""
    catalogue: str
    catalogue_digest: str
    snapshot: str
    as_of: str
    """Month end the features were computed for, ISO 8601."""
    disclosure: Disclosure
    precision_points: int
    centibits: int
    """Charged to the ledger, all answers together."""
    request: str
    """Hex digest of the signed request that was charged for; a repeat returns the receipt of the first."""
    answers: tuple[AnswerDigest, ...]
    revision: str = ""
    """Of the enterprise's row, where an objection, a decision or a repair changed it since it was first objected to; a
    random name that says nothing of what changed. Empty: never."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            "iss": self.enclave,
            "jti": self.assessment_id,
            "iat": self.charged_at,
            "sub": self.enterprise,
            "client_id": self.bank,
            "model": self.model,
            "parameter_set": self.parameter_set,
            "authorization": self.authorization,
            "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest,
            "snapshot": self.snapshot,
            "as_of": self.as_of,
            "disclosure": str(self.disclosure),
            "precision_points": self.precision_points,
            "centibits": self.centibits,
            "request": self.request,
            "answers": [{"category": a.category, "sha256": a.digest} for a in self.answers],
        }
        if self.revision:
            members["revision"] = self.revision
        return key.sign(members, RECEIPT_TYPE, with_chain=True)


def parse_receipt(claims: Claims) -> Receipt:
    """Raises `DocumentMalformed`. Members a later enclave adds are tolerated: a receipt grants nothing."""
    try:
        return Receipt(
            enclave=parse_enclave_id(claims.text("iss")),
            assessment_id=claims.text("jti", most=64),
            charged_at=claims.instant("iat"),
            enterprise=parse_uscc(claims.text("sub")),
            bank=parse_bank_id(claims.text("client_id")),
            model=claims.text("model", most=64),
            parameter_set=claims.text("parameter_set", most=64),
            authorization=claims.text("authorization", most=64),
            catalogue=claims.text("catalogue", most=128),
            catalogue_digest=claims.text("catalogue_digest", most=64),
            snapshot=claims.text("snapshot", most=64),
            as_of=claims.text("as_of", most=10),
            disclosure=Disclosure(claims.text("disclosure")),
            precision_points=claims.integer("precision_points", 0, 1 << 20),
            centibits=claims.integer("centibits", 0, 1 << 30),
            request=claims.text("request", most=64),
            answers=tuple(_parse_answer(a) for a in claims.objects("answers", most=256)),
            revision=claims.optional_text("revision", most=64) or "",
        )
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    except ValueError as error:
        if isinstance(error, DocumentMalformed):
            raise
        raise DocumentMalformed("disclosure is total or by_category") from error


def _parse_answer(claims: Claims) -> AnswerDigest:
    category = claims.members.get("category")
    if not isinstance(category, str) or len(category) > 64:
        raise DocumentMalformed("member category must be a text")
    return AnswerDigest(category, claims.text("sha256", most=64))


def answer_digest(frame: bytes) -> str:
    return hashlib.sha256(frame).hexdigest()


@dataclass(frozen=True, slots=True)
class ModelReceipt:
    enclave: EnclaveId
    model: str
    bank: BankId
    parameter_set: str
    catalogue: str
    catalogue_digest: str
    registered_at: int

    def sign(self, key: SigningKey) -> str:
        members = {
            "iss": self.enclave,
            "jti": self.model,
            "iat": self.registered_at,
            "client_id": self.bank,
            "parameter_set": self.parameter_set,
            "catalogue": self.catalogue,
            "catalogue_digest": self.catalogue_digest,
        }
        return key.sign(members, MODEL_RECEIPT_TYPE, with_chain=True)


def parse_model_receipt(claims: Claims) -> ModelReceipt:
    """Raises `DocumentMalformed`."""
    try:
        return ModelReceipt(
            enclave=parse_enclave_id(claims.text("iss")),
            model=claims.text("jti", most=64),
            bank=parse_bank_id(claims.text("client_id")),
            parameter_set=claims.text("parameter_set", most=64),
            catalogue=claims.text("catalogue", most=128),
            catalogue_digest=claims.text("catalogue_digest", most=64),
            registered_at=claims.instant("iat"),
        )
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
