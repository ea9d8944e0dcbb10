"""Status lists: packed as the draft says, read back exactly, and believed for the enclave's signature alone."""

import json
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.identifiers import parse_enclave_id
from xinyidai.identity import Role
from xinyidai.signing import Claims, DocumentError, DocumentMalformed, DocumentOutOfTime
from xinyidai.status_list import (
    ENTRIES,
    STATUS_LIST_TYPE,
    Status,
    StatusListToken,
    pack,
    status_uri,
    verify_status_list,
)

from bank_sdk import InputError, StatusList, VerificationError
from bank_sdk.results import GrantedAuthorization
from tests.support.certificates import make_authority

ENCLAVES = make_authority("Enclaves")
ENCLAVE = parse_enclave_id("enclave-a")
KEY = ENCLAVES.issue(Role.ENCLAVE, ENCLAVE).signing_key()
ANCHOR = ENCLAVES.anchor(Role.ENCLAVE)
NOW = int(KEY.chain[0].not_valid_before_utc.timestamp()) + 600
URI = status_uri(ENCLAVE, 1)
STATUSES = [Status.INVALID if n % 7 == 0 else Status.SUSPENDED if n % 11 == 0 else Status.VALID for n in range(ENTRIES)]
TOKEN = StatusListToken(ENCLAVE, URI, NOW, NOW + 900, 60, pack(STATUSES))


def test_every_status_is_read_back() -> None:
    found = verify_status_list(TOKEN.sign(KEY), URI, ANCHOR, NOW + 30)
    assert [found.status(index) for index in range(ENTRIES)] == STATUSES
    for index in (-1, ENTRIES):
        with pytest.raises(DocumentMalformed):
            found.status(index)


def test_the_bits_lie_as_in_the_drafts_example_of_two_bits() -> None:
    """Section 4.1: statuses 1 2 0 3 0 1 0 1 1 2 3 3 are the bytes c9 44 f9."""
    example = [1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]
    assert pack(example + [0] * (ENTRIES - len(example)))[:3].hex() == "c944f9"


@given(st.lists(st.integers(0, 2), min_size=8, max_size=64))
def test_packing_loses_nothing(some: list[int]) -> None:
    token = replace(TOKEN, packed=pack(some + [0] * (ENTRIES - len(some))))
    assert [token.status(index) for index in range(len(some))] == some


@pytest.mark.parametrize("later", [-61, 121, 2_000])
def test_a_list_out_of_its_time_is_refused(later: int) -> None:
    with pytest.raises(DocumentOutOfTime):
        verify_status_list(TOKEN.sign(KEY), URI, ANCHOR, NOW + later)


def lst(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "changes",
    [
        {"status_list": {"bits": 1, "lst": lst(zlib.compress(TOKEN.packed))}},
        {"status_list": {"bits": 2, "lst": lst(zlib.compress(TOKEN.packed[:-1]))}},
        {"status_list": {"bits": 2, "lst": lst(zlib.compress(TOKEN.packed + b"\x00"))}},
        {"status_list": {"bits": 2, "lst": lst(zlib.compress(bytes(8_000_000)))}},
        {"status_list": {"bits": 2, "lst": lst(zlib.compress(TOKEN.packed)[:-9])}},
        {"status_list": {"bits": 2, "lst": lst(zlib.compress(TOKEN.packed) + b"more")}},
        {"status_list": {"bits": 2, "lst": "AAAA"}},
        {"status_list": []},
        {"sub": status_uri(ENCLAVE, 2)},
        {"sub": "urn:xinyidai:status-list:enclave-b:1", "iss": "enclave-b"},
        {"ttl": 0},
        {"more": 1},
    ],
    ids=range(12),
)
def test_a_list_of_another_shape_is_refused(changes: dict[str, Any]) -> None:
    payload = TOKEN.sign(KEY).split(".")[1]
    members = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | changes
    raw = KEY.sign(members, STATUS_LIST_TYPE, with_chain=True)
    with pytest.raises(DocumentError):
        verify_status_list(raw, URI, ANCHOR, NOW)


def test_a_bank_reads_the_state_of_its_grant() -> None:
    now = [NOW + 1]
    listed = StatusList(TOKEN.sign(KEY), URI, ANCHOR, clock=lambda: now[0])
    assert (listed.state(grant(7)), listed.state(grant(11)), listed.state(grant(1))) == ("revoked", "paused", "active")
    with pytest.raises(InputError):
        listed.state(grant(7, status_uri(ENCLAVE, 2)))
    with pytest.raises(VerificationError):
        listed.state(grant(ENTRIES))
    now[0] = listed.expires_at
    with pytest.raises(VerificationError, match="out of its time"):
        listed.state(grant(7))
    with pytest.raises(VerificationError):
        StatusList(TOKEN.sign(KEY)[:-4], URI, ANCHOR, clock=lambda: NOW)


def grant(index: int, uri: str = URI) -> GrantedAuthorization:
    terms: Any = Claims({})
    return GrantedAuthorization("", terms, "unknown", 0, status_index=index, status_uri=uri)
