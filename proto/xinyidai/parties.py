"""Members that name a party, and documents sealed to one reader: what several kinds of document have in common."""

from datetime import datetime

from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import (
    BankId,
    EnclaveId,
    IdentifierError,
    Uscc,
    parse_bank_id,
    parse_enclave_id,
    parse_uscc,
)
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentMalformed


def enterprise_of(claims: Claims, stamp: Stamp | None = None) -> Uscc:
    """Member sub; with `stamp`, it must be the issuer too. Raises `DocumentMalformed`."""
    try:
        enterprise = parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    if stamp is not None and stamp.issuer != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    return enterprise


def bank_of(raw: str) -> BankId:
    """Raises `DocumentMalformed`."""
    try:
        return parse_bank_id(raw)
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def enclave_of(claims: Claims) -> EnclaveId:
    """Member iss. Raises `DocumentMalformed`."""
    try:
        return parse_enclave_id(claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def key_of(claims: Claims, name: str) -> SealingKey:
    """A public key to encrypt to. Raises `DocumentMalformed`."""
    value = claims.members.get(name)
    if not isinstance(value, dict):
        raise DocumentMalformed(f"member {name} must be an object")
    return SealingKey.from_claims(Claims(value))


def open_sealed(raw: str, key: OpeningKey, anchor: TrustAnchor, typ: str, at: datetime | None = None) -> Claims:
    """Decrypt, and verify that the enclave the document names signed it. Raises `DocumentError`."""
    signed = verify_with_chain(key.open(raw).decode("ascii", "replace"), typ, anchor, at)
    if signed.claims.members.get("iss") != signed.identity.name:
        raise DocumentMalformed("the document names another enclave than its certificate")
    return signed.claims
