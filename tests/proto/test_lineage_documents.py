"""What travels of lineage and disputes: sealed for one reader, of one length, and strict about every member."""

import json
import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.confidential import MessageUnreadable, OpeningKey, SealingKey
from xinyidai.disputes import (
    MAX_TEXT,
    OBJECTIONS_TYPE,
    Decision,
    Objection,
    ObjectionEntry,
    ObjectionKind,
    ObjectionsAnswer,
    Outcome,
    RecordName,
    RuleName,
    open_objection,
    parse_decision,
    parse_objection,
    parse_objections,
)
from xinyidai.identifiers import parse_enclave_id, parse_uscc
from xinyidai.identity import CertificateInvalid, Role
from xinyidai.lineage import Lineage, LineageRecord, LineageRequest, open_lineage, parse_lineage_request
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, read_unverified
from xinyidai.statements import MAX_SEALED_CHARACTERS, Action, Statement, parse_statement

from tests.support.certificates import make_authority
from tests.support.parties import uscc_number

FIRM = parse_uscc(uscc_number(1))
STAMP = Stamp(FIRM, (parse_enclave_id("e-1"),), "n" * 24, 1000, 1240)
ENCLAVES = make_authority("Enclaves")
PLACE = RuleName("lianyungang", "连云港(江苏省)", "Lianyungang (Jiangsu)")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cf"]), min_size=1, max_size=40)


def lineage(**changes: object) -> Lineage:
    record = LineageRecord("tax_payment", "r-1", "市税务局", 202610, "2026-10-20T00:00:00", "batch-01")
    made = Lineage(
        enclave=parse_enclave_id("e-1"), enterprise=FIRM, request="n" * 24, issued_at=1001, feature="tax_paid_m12",
        catalogue="c@1", catalogue_digest="d", snapshot="s", as_of="2026-10-31", status="value", value="12.5", cell=3,
        current=True, rules=("repaired",), contributing=1, excluded=1, records=(record,),
        left_out=(replace(record, record_id="r-2", rule="repaired"),), dispute_key=OpeningKey.generate().public,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


class TestSealing:
    def test_only_the_key_it_was_sealed_to_opens_it(self) -> None:
        key = OpeningKey.generate()
        sealed = key.public.seal(b'{"a": 1}', 1000)
        assert key.open(sealed) == b'{"a": 1}'
        assert OpeningKey.from_der(key.to_der()).open(sealed) == b'{"a": 1}'
        with pytest.raises(MessageUnreadable):
            OpeningKey.generate().open(sealed)

    def test_the_length_tells_nothing_and_what_would_show_is_refused(self) -> None:
        key = OpeningKey.generate().public
        assert len(key.seal(b"", 1000)) == len(key.seal(b"x" * 1000, 1000))
        with pytest.raises(ValueError, match="at most 1000 bytes"):
            key.seal(b"x" * 1001, 1000)

    def test_every_change_is_noticed_and_every_failure_looks_the_same(self) -> None:
        key = OpeningKey.generate()
        sealed = key.public.seal(b"x", 100)
        parts = sealed.split(".")
        header = OpeningKey.generate().public.seal(b"x", 100).split(".")[0]
        for damaged in (
            "",
            "x",
            sealed[:-4] + "AAAA",
            ".".join(parts[:4]),
            ".".join([header, *parts[1:]]),
            sealed * 400,
        ):
            with pytest.raises(MessageUnreadable, match="does not open with this key"):
                key.open(damaged)

    @pytest.mark.parametrize(
        "change", [{"crv": "P-384"}, {"kty": "oct"}, {"x": "A" * 43, "y": "A" * 43}, {"x": "!" * 43}, {"d": "A" * 43}]
    )
    def test_a_key_that_is_no_public_point_of_the_curve_is_refused(self, change: dict[str, str]) -> None:
        with pytest.raises(DocumentMalformed):
            SealingKey.from_claims(Claims({**OpeningKey.generate().public.claims(), **change}))

    def test_the_private_key_does_not_print_or_pickle(self) -> None:
        key = OpeningKey.generate()
        assert repr(key) == "OpeningKey(**redacted**)"
        with pytest.raises(TypeError):
            pickle.dumps(key)


class TestLineage:
    def test_an_answer_comes_back_as_it_was_signed(self) -> None:
        signer = ENCLAVES.issue(Role.ENCLAVE, "e-1").signing_key()
        reader, made = OpeningKey.generate(), lineage()
        found = open_lineage(made.seal(signer, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))
        assert found.dispute_key.claims() == made.dispute_key.claims()
        assert replace(found, dispute_key=made.dispute_key) == made

    def test_a_relay_cannot_answer_in_the_enclaves_place(self) -> None:
        """It knows the reader's key, which stands in the request; it lacks a certificate of an enclave."""
        forger = make_authority("Other").issue(Role.ENCLAVE, "e-1").signing_key()
        reader = OpeningKey.generate()
        with pytest.raises(CertificateInvalid):
            open_lineage(lineage().seal(forger, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))
        other = ENCLAVES.issue(Role.ENCLAVE, "e-2").signing_key()
        with pytest.raises(DocumentMalformed, match="another enclave"):
            open_lineage(lineage().seal(other, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))

    def test_empty_lists_and_no_value_travel_too(self) -> None:
        signer, reader = ENCLAVES.issue(Role.ENCLAVE, "e-1").signing_key(), OpeningKey.generate()
        made = lineage(records=(), left_out=(), rules=(), value="", status="missing")
        found = open_lineage(made.seal(signer, reader.public), reader, ENCLAVES.anchor(Role.ENCLAVE))
        assert (found.records, found.left_out, found.rules, found.value) == ((), (), (), "")

    def test_a_request_is_for_oneself(self) -> None:
        key, reader = SigningKey.generate(), OpeningKey.generate()
        claims = read_unverified(LineageRequest(STAMP, FIRM, "tax_paid_m12", reader.public).sign(key))
        parsed = parse_lineage_request(claims)
        assert (parsed.feature, parsed.reader.claims()) == ("tax_paid_m12", reader.public.claims())
        for change in ({"sub": uscc_number(2)}, {"reader": "x"}, {"extra": 1}, {"feature": ""}):
            with pytest.raises(DocumentMalformed):
                parse_lineage_request(Claims({**claims.members, **change}))


class TestDisputes:
    def test_which_record_is_disputed_is_for_the_enclave_alone(self) -> None:
        enclave, name = OpeningKey.generate(), RecordName("tax_payment", "记录-1")
        signed = Statement(STAMP, FIRM, Action.DISPUTE, record=name.seal(enclave.public)).sign(SigningKey.generate())
        statement = parse_statement(read_unverified(signed))
        assert "tax_payment" not in json.dumps(read_unverified(signed).members)
        assert open_objection(statement.record or "", enclave).record == name

    @pytest.mark.parametrize(
        "members", [{}, {"record": "x", "authorization": "d"}, {"record": "x", "centibits": 1}, {"authorization": "d"}]
    )
    def test_a_dispute_names_a_record_and_nothing_else(self, members: dict[str, object]) -> None:
        claims = {**STAMP.claims(), "sub": FIRM, "action": "dispute", **members}
        with pytest.raises(DocumentMalformed, match="names its record"):
            parse_statement(Claims(claims))

    def test_a_decision_is_strict(self) -> None:
        decision = Decision(replace(STAMP, issuer="rsj"), FIRM, RecordName("tax_payment", "r"), Outcome.UPHELD)
        claims = read_unverified(decision.sign(SigningKey.generate()))
        assert parse_decision(claims) == decision
        for change in ({"outcome": "maybe"}, {"sub": "x"}, {"extra": 1}, {"record_id": ""}):
            with pytest.raises(DocumentMalformed):
                parse_decision(Claims({**claims.members, **change}))


class TestObjections:
    OBJECTIONS = st.builds(
        Objection,
        st.builds(RecordName, TEXT, TEXT),
        st.sampled_from(ObjectionKind),
        st.just("") | TEXT,
        st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), max_size=8, unique=True).map(tuple),
    )

    @given(objection=OBJECTIONS)
    def test_only_the_enclave_reads_it_and_all_are_equally_long(self, objection: Objection) -> None:
        key = OpeningKey.generate()
        sealed = objection.seal(key.public)
        assert open_objection(sealed, key) == objection
        assert len(sealed) == len(Objection(RecordName("a", "b")).seal(key.public)) <= MAX_SEALED_CHARACTERS
        with pytest.raises(MessageUnreadable):
            open_objection(sealed, OpeningKey.generate())

    def test_the_longest_in_chinese_fits_a_statement(self) -> None:
        key = OpeningKey.generate()
        longest = Objection(RecordName("c" * 64, "录" * 256), ObjectionKind.ERROR, "冤" * MAX_TEXT, ("ab" * 32,))
        assert open_objection(longest.seal(key.public), key) == longest
        with pytest.raises(ValueError):
            Objection(RecordName("c", "r"), text="冤" * 3 * MAX_TEXT).seal(key.public)

    @pytest.mark.parametrize(
        "change",
        [{"kind": "anger"}, {"text": "x" * (MAX_TEXT + 1)}, {"evidence": ["short"]}, {"evidence": []}, {"more": 1}],
    )
    def test_what_is_no_objection_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(DocumentMalformed):
            parse_objection(Claims({"category": "c", "record_id": "r", **change}))

    @given(
        entries=st.lists(
            st.builds(
                ObjectionEntry,
                st.text("ab01", min_size=1, max_size=32),
                OBJECTIONS,
                st.sampled_from(["marked", "upheld"]),
                *[st.integers(0, 4_000_000_000)] * 5,
                st.just("") | TEXT,
            ),
            max_size=3,
        ).map(tuple)
    )
    def test_the_answer_opens_for_who_asked(self, entries: tuple[ObjectionEntry, ...]) -> None:
        reader, key = OpeningKey.generate(), SigningKey.generate()
        answer = ObjectionsAnswer(parse_enclave_id("e"), FIRM, "n" * 16, 7, len(entries), PLACE, entries)
        raw = reader.open(answer.seal(key, reader.public)).decode()
        assert parse_objections(key.public.verify(raw, OBJECTIONS_TYPE)) == answer
