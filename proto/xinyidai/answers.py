"""Answers of an enclave that a relay carries and cannot read: signed by the enclave, encrypted to a key that the
question named, always of one length."""

from xinyidai.confidential import OpeningKey, SealingKey
from xinyidai.identifiers import IdentifierError, Uscc, parse_enclave_id, parse_uscc
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.signing import MAX_DOCUMENT_BYTES, Claims, DocumentMalformed


def seal_answer(signed: str, reader: SealingKey) -> str:
    """Encrypt a signed answer to who asked. Raises `DocumentMalformed` when it lists more than fits."""
    if len(signed) > MAX_DOCUMENT_BYTES:
        raise DocumentMalformed("the answer lists too many records")
    return reader.seal(signed.encode(), MAX_DOCUMENT_BYTES)


def open_answer(raw: str, key: OpeningKey, typ: str, anchor: TrustAnchor) -> Claims:
    """Decrypt, and verify that the enclave it names signed it, vouched for by `anchor`. Raises `DocumentError`. The
    caller compares the answer with what it asked."""
    signed = verify_with_chain(key.open(raw).decode("ascii", "replace"), typ, anchor)
    try:
        enclave = parse_enclave_id(signed.claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    if enclave != signed.identity.name:
        raise DocumentMalformed("the answer names another enclave than its certificate")
    return signed.claims


def object_member(claims: Claims, name: str) -> Claims:
    """Raises `DocumentMalformed`."""
    value = claims.members.get(name)
    if not isinstance(value, dict):
        raise DocumentMalformed(f"member {name} must be an object")
    return Claims(value)


def enterprise_member(claims: Claims, name: str = "sub") -> Uscc:
    """Raises `DocumentMalformed`."""
    try:
        return parse_uscc(claims.text(name))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error


def own_enterprise(claims: Claims) -> Uscc:
    """Of a question an enterprise may ask about itself alone. Raises `DocumentMalformed`."""
    enterprise = enterprise_member(claims)
    if claims.text("iss") != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    return enterprise
