"""What travels of own records: sealed for one reader, of one length, and strict about every member."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.confidential import OpeningKey
from xinyidai.identifiers import parse_enclave_id, parse_uscc
from xinyidai.identity import CertificateInvalid, Role
from xinyidai.own_records import (
    MAX_PAGE,
    MAX_VALUE,
    Holding,
    OwnRecord,
    OwnRecords,
    OwnRecordsRequest,
    open_own_records,
    parse_own_records,
    parse_own_records_request,
    shown,
)
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, read_unverified
from xinyidai.statements import SignIn, parse_access, parse_sign_in

from tests.support.certificates import make_authority
from tests.support.parties import uscc_number

FIRM = parse_uscc(uscc_number(1))
STAMP = Stamp(FIRM, (parse_enclave_id("e-1"),), "n" * 24, 1000, 1240)
ENCLAVES = make_authority("Enclaves")
SIGNER = ENCLAVES.issue(Role.ENCLAVE, "e-1").signing_key()
RECORD = OwnRecord("r-1", "SWJ", 202610, "2026-10-20T00:00:00", "disputed", (("tax_paid", "12.5"), ("注", "一")))


def own_records(**changes: object) -> OwnRecords:
    made = OwnRecords(
        enclave=parse_enclave_id("e-1"), enterprise=FIRM, request="n" * 24, issued_at=1001, catalogue="c@1",
        snapshot="s", as_of="2026-10-31", category="tax_payment", offset=0, records=(RECORD,), more=True,
        holdings=(Holding("tax_payment", 3, 1, 202610, "2026-10-20T00:00:00"), Holding("gas_usage", 0, 0, 0, "")),
        dispute_key=OpeningKey.generate().public,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def test_an_answer_comes_back_as_it_was_signed_and_all_are_equally_long() -> None:
    reader, lengths = OpeningKey.generate(), set()
    for made in (own_records(), own_records(category="", records=(), more=False)):
        sealed = made.seal(SIGNER, reader.public)
        found = open_own_records(sealed, reader, ENCLAVES.anchor(Role.ENCLAVE))
        assert replace(found, dispute_key=made.dispute_key) == made
        lengths.add(len(sealed))
    assert len(lengths) == 1


def test_a_relay_cannot_answer_in_the_enclaves_place() -> None:
    reader = OpeningKey.generate()
    forger = make_authority("Other").issue(Role.ENCLAVE, "e-1").signing_key()
    with pytest.raises(CertificateInvalid):
        open_own_records(own_records().seal(forger, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))
    other = ENCLAVES.issue(Role.ENCLAVE, "e-2").signing_key()
    with pytest.raises(DocumentMalformed, match="another enclave"):
        open_own_records(own_records().seal(other, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))


def test_what_does_not_fit_is_refused_rather_than_longer() -> None:
    wide = replace(RECORD, fields=tuple((f"f{n}", "长" * MAX_VALUE) for n in range(60)))
    with pytest.raises(DocumentMalformed, match="too many records"):
        own_records(records=(wide,) * 5).seal(SIGNER, OpeningKey.generate().public)


def test_a_request_is_for_oneself_and_strict() -> None:
    reader = OpeningKey.generate()
    claims = read_unverified(OwnRecordsRequest(STAMP, FIRM, "", 7, reader.public).sign(SigningKey.generate()))
    parsed = parse_own_records_request(claims)
    assert (parsed.category, parsed.offset, parsed.reader.claims()) == ("", 7, reader.public.claims())
    changes: tuple[dict[str, object], ...] = (
        {"sub": uscc_number(2)}, {"reader": "x"}, {"extra": 1}, {"category": ""}, {"offset": -1}, {"offset": "0"},
    )  # fmt: skip
    for change in changes:
        with pytest.raises(DocumentMalformed):
            parse_own_records_request(Claims({**claims.members, **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"records": [{"record_id": "x", "month": 1}]},
        {"records": [{"record_id": "x", "month": 1, "fields": {"a": 1}}]},
        {"records": [{"record_id": "x", "month": 1, "fields": {f"f{n}": "x" for n in range(65)}}]},
        {"records": [{"record_id": "x", "month": 0, "fields": {}}] * (MAX_PAGE + 1)},
        {"holdings": []},
        {"extra": 1},
    ],
)
def test_an_answer_is_strict(change: dict[str, object]) -> None:
    claims = read_unverified(own_records().sign(SIGNER)).members
    with pytest.raises(DocumentMalformed):
        parse_own_records(Claims({**claims, **change}))


@given(st.text(max_size=300))
def test_whatever_a_record_says_can_be_shown(said: str) -> None:
    """Even control characters, marks that turn the direction of writing, and halves of characters."""
    value = shown(said)
    record = replace(RECORD, fields=(("f", value),) if value else ())
    found = parse_own_records(read_unverified(own_records(records=(record,)).sign(SIGNER)))
    assert found.records == (record,)


def test_a_sign_in_is_no_access_and_the_other_way_round() -> None:
    key = SIGNER
    signed = SignIn(STAMP, FIRM).sign(key)
    assert parse_sign_in(read_unverified(signed)) == SignIn(STAMP, FIRM)
    assert parse_access(read_unverified(signed)).enterprise == FIRM  # the members are alike;
    with pytest.raises(DocumentMalformed, match="of type access"):
        key.public.verify(signed, "access+jwt")  # the type tells them apart
