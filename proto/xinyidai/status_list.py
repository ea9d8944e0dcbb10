"""Token status lists (IETF draft-ietf-oauth-status-list): the states of many authorizations in a few kilobytes.

For those who cache: a bank reads one list, and asks again after its `ttl`. An enclave decides by its own state, never
by a list. Two bits a status; entries nobody uses hold decoys, so the number of revocations cannot be read off a list.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

from xinyidai.identifiers import EnclaveId, IdentifierError, parse_enclave_id
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import Claims, DocumentMalformed, DocumentOutOfTime, SigningKey

STATUS_LIST_TYPE: Final = "statuslist+jwt"
BITS: Final = 2
ENTRIES: Final = 16_384
"""Of one list; 4 KiB before compression."""
_BYTES: Final = ENTRIES * BITS // 8
_PER_BYTE: Final = 8 // BITS
_MAX_TEXT: Final = 16 * 1024


class Status(IntEnum):
    VALID = 0
    INVALID = 1
    """Revoked, for good."""
    SUSPENDED = 2
    """Paused."""


def status_uri(enclave: EnclaveId, number: int) -> str:
    """The name of a list, number 1 and up; served as /v1/status-lists/<number>."""
    return f"urn:xinyidai:status-list:{enclave}:{number}"


def pack(statuses: Sequence[int]) -> bytes:
    """Statuses of one list, least significant bits first (section 4.1 of the draft). Raises `ValueError`."""
    if len(statuses) != ENTRIES or any(not 0 <= status < 1 << BITS for status in statuses):
        raise ValueError(f"a list has {ENTRIES} statuses of {BITS} bits")
    packed = bytearray(_BYTES)
    for index, status in enumerate(statuses):
        packed[index // _PER_BYTE] |= status << BITS * (index % _PER_BYTE)
    return bytes(packed)


@dataclass(frozen=True, slots=True)
class StatusListToken:
    enclave: EnclaveId
    uri: str
    issued_at: int
    expires_at: int
    ttl: int
    """Seconds after which to read the list again."""
    packed: bytes

    def sign(self, key: SigningKey) -> str:
        members = {
            "iss": self.enclave,
            "sub": self.uri,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "ttl": self.ttl,
            "status_list": {"bits": BITS, "lst": _encode(zlib.compress(self.packed, 9))},
        }
        return key.sign(members, STATUS_LIST_TYPE, with_chain=True)

    def status(self, index: int) -> Status:
        """Raises `DocumentMalformed` for an index outside the list and for a value this version does not know."""
        if not 0 <= index < ENTRIES:
            raise DocumentMalformed("the list has no such index")
        try:
            return Status(self.packed[index // _PER_BYTE] >> BITS * (index % _PER_BYTE) & (1 << BITS) - 1)
        except ValueError as error:
            raise DocumentMalformed("the list holds a status this version does not know") from error


def verify_status_list(raw: str, uri: str, anchor: TrustAnchor, now: int) -> StatusListToken:
    """The list of this name, signed by its enclave and neither expired nor past its `ttl`. `now`: seconds since
    1970-01-01 UTC. Raises `DocumentError`."""
    signed = verify_with_chain(raw, STATUS_LIST_TYPE, anchor, datetime.fromtimestamp(now, UTC))
    token = _parse(signed.claims.only("iss", "sub", "iat", "exp", "ttl", "status_list"))
    if signed.identity.name != token.enclave:
        raise DocumentMalformed("the list names another enclave than its certificate")
    if token.uri != uri or not uri.startswith(f"urn:xinyidai:status-list:{token.enclave}:"):
        raise DocumentMalformed("this is another list than the one asked for")
    best_before = min(token.expires_at, token.issued_at + token.ttl)
    if not token.issued_at - MAX_SKEW_SECONDS <= now < best_before + MAX_SKEW_SECONDS:
        raise DocumentOutOfTime("the list is out of its time; read it again")
    return token


def _parse(claims: Claims) -> StatusListToken:
    inner = claims.members.get("status_list")
    if not isinstance(inner, dict):
        raise DocumentMalformed("member status_list must be an object")
    listed = Claims(inner).only("bits", "lst")
    if listed.integer("bits", 1, 8) != BITS:
        raise DocumentMalformed(f"this version reads lists of {BITS} bits a status")
    try:
        enclave = parse_enclave_id(claims.text("iss"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    return StatusListToken(
        enclave,
        claims.text("sub"),
        claims.instant("iat"),
        claims.instant("exp"),
        claims.integer("ttl", 1, 86_400),
        _unpack(listed.text("lst", most=_MAX_TEXT)),
    )


def _unpack(text: str) -> bytes:
    """Bounded: a small text can promise gigabytes."""
    reader = zlib.decompressobj()
    try:
        packed = reader.decompress(urlsafe_b64decode(text + "=" * (-len(text) % 4)), _BYTES + 1)
    except (ValueError, zlib.error) as error:
        raise DocumentMalformed("the list cannot be decompressed") from error
    if len(packed) != _BYTES or not reader.eof or reader.unused_data:
        raise DocumentMalformed(f"a list has {ENTRIES} statuses")
    return packed


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
