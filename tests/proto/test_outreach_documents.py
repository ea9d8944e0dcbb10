"""The white list's and the alerts' documents and public data: strict about every member, exact about every bit."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.alerts.documents import Alert, WatchOrder, parse_alert, parse_watch
from xinyidai.alerts.rules import MOST_NAMED, Level, centibits_of, compile_rules, risk_rules, titles
from xinyidai.authorization import Disclosure
from xinyidai.catalogue import CatalogueError, builtin_catalogue
from xinyidai.conditions import parse_public_data
from xinyidai.confidential import OpeningKey
from xinyidai.disclosures import Disclosure as Told
from xinyidai.disclosures import DisclosureKind, parse_disclosure
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey, read_unverified
from xinyidai.whitelist.lists import (
    MAX_PARTS,
    PART_ENTRIES,
    ListHead,
    Member,
    Withdrawal,
    join,
    parse_part,
    parts_needed,
    split,
)
from xinyidai.whitelist.scorecard import compile_scorecard, public_scorecard
from xinyidai.whitelist.statements import (
    Confirmation,
    OptIn,
    OptOut,
    Subscription,
    notice_hash,
    parse_confirmation,
    parse_opt_in,
    parse_opt_out,
    parse_subscription,
    render_notice,
)

from tests.support.parties import uscc_number
from tests.support.town import GOOD, POOR, row_of

CATALOGUE = builtin_catalogue()
SCORECARD, RULES = public_scorecard(CATALOGUE), risk_rules(CATALOGUE)
FIRM, BANK, ENCLAVE = parse_uscc(uscc_number(1)), parse_bank_id("bank-a"), parse_enclave_id("e-1")
NOW = 1_790_000_000
STAMP = Stamp(FIRM, (ENCLAVE,), "n" * 24, NOW, NOW + 240)
KEY = SigningKey.generate()
READER = OpeningKey.generate()
ALL = tuple(category.code for category in CATALOGUE.categories)
OPT_IN = OptIn(STAMP, FIRM, (BANK,), NOW + 1000, SCORECARD.reference, SCORECARD.digest, "0" * 64)
HEAD = ListHead(ENCLAVE, BANK, "l" * 32, 3, 1, NOW, NOW + 60, "s", "2026-10-31", SCORECARD.reference, SCORECARD.digest)
ALERT = Alert(
    ENCLAVE, "a" * 32, BANK, FIRM, "0" * 64, 1, NOW, "s", "2026-10-31", "c@1", "0" * 64, RULES.reference, RULES.digest,
    Level.RED, ("seizure",), 888,
)  # fmt: skip


def claims(raw: str, **changes: Any) -> Claims:
    members = read_unverified(raw).members | changes
    return Claims({name: value for name, value in members.items() if value is not None})


class TestPublicData:
    def test_the_scorecard_reads_what_it_says_and_decides_by_points_and_gates(self) -> None:
        good, poor = row_of(CATALOGUE, GOOD).tolist(), row_of(CATALOGUE, POOR).tolist()
        assert SCORECARD.points(good) == 100 and SCORECARD.good_standing(good)
        assert not SCORECARD.good_standing(poor)
        for gate in ("jud_dishonest_now", "abn_serious_now"):
            assert not SCORECARD.good_standing(row_of(CATALOGUE, {**GOOD, gate: 1}).tolist())
        assert not SCORECARD.good_standing(row_of(CATALOGUE, {**GOOD, "tcr_arrears_balance": 10_000}).tolist())
        assert SCORECARD.good_standing(row_of(CATALOGUE, {**GOOD, "tcr_arrears_balance": 9_999}).tolist())
        assert set(SCORECARD.categories) < set(ALL)

    def test_every_cell_of_every_characteristic_has_points(self) -> None:
        for entry in SCORECARD.characteristics:
            assert len(entry.points) == len(CATALOGUE.features[entry.at].cells)

    @pytest.mark.parametrize(
        "change",
        [
            "threshold: -1",
            "gates: [{feature: nothing, from: 1}]",
            "gates: [{feature: jud_dishonest_now, from: 7}]",
            "gates: [{feature: jud_dishonest_now, from: 1, below: 1}]",
            "characteristics: [{feature: reg_age_months, edges: [12], points: [1], missing: 0, not_applicable: 0}]",
            "characteristics: [{feature: reg_age_months, edges: [24, 12], points: [1, 2, 3], missing: 0, not_applicable: 0}]",  # noqa: E501
            "extra: 1",
        ],
    )
    def test_a_scorecard_that_is_wrong_in_any_way_is_refused(self, change: str) -> None:
        lines = {
            "code": "code: x", "version": "version: 1", "title": "title: {zh: 好, en: good}",
            "provenance": "provenance: p",
            "threshold": "threshold: 1", "gates": "gates: [{feature: jud_dishonest_now, from: 1}]",
            "characteristics": "characteristics: [{feature: reg_age_months, edges: [12], points: [0, 1], missing: 0,"
            " not_applicable: 0}]",
        }  # fmt: skip
        whole = "\n".join(lines.values())
        assert compile_scorecard(parse_public_data(whole.encode()), CATALOGUE).threshold == 1
        lines[change.split(":")[0]] = change
        with pytest.raises(CatalogueError):
            compile_scorecard(parse_public_data("\n".join(lines.values()).encode()), CATALOGUE)

    def test_rules_name_the_gravest_first_and_at_most_three(self) -> None:
        row = row_of(CATALOGUE, {**GOOD, "ele_late_cnt_m24": 9, "re_seizure_cnt": 1, "jud_dishonest_now": 1,
                                 "jud_exec_cnt_m24": 3}).tolist()  # fmt: skip
        found = RULES.examine(row, ALL, Disclosure.BY_CATEGORY)
        assert (found.level, found.rules) == (Level.RED, ("dishonest_debtor", "seizure", "enforcement_repeated"))
        assert RULES.examine(row, ALL, Disclosure.TOTAL).rules == ()
        assert RULES.examine(row, ("electricity_usage",), Disclosure.TOTAL).level is Level.BLUE
        assert set(titles()) == {rule.name for rule in RULES.rules}

    def test_what_is_missing_meets_no_rule_and_a_collapse_does(self) -> None:
        assert RULES.examine(row_of(CATALOGUE, {}).tolist(), ALL, Disclosure.TOTAL).level is Level.NONE
        falling = row_of(CATALOGUE, {"tax_growth_yoy": -61}).tolist()
        assert RULES.examine(falling, ALL, Disclosure.BY_CATEGORY).rules == ("tax_collapse",)
        assert (
            RULES.examine(row_of(CATALOGUE, {"tax_growth_yoy": -60}).tolist(), ALL, Disclosure.TOTAL).level
            is Level.NONE
        )

    @given(st.integers(1, 5_000))
    def test_bits_are_rounded_up_exactly(self, messages: int) -> None:
        found = centibits_of(messages)
        assert Fraction(2) ** found >= Fraction(messages) ** 100
        assert found == 0 or Fraction(2) ** (found - 1) < Fraction(messages) ** 100

    @given(st.sets(st.sampled_from(ALL)), st.data())
    @settings(max_examples=60, deadline=None)
    def test_no_more_alerts_exist_than_were_charged_for(self, categories: set[str], data: st.DataObject) -> None:
        rules = RULES.within(categories)
        seen = set()
        for _ in range(40):
            row = row_of(CATALOGUE, {}).tolist()
            for rule in data.draw(st.lists(st.sampled_from(rules), max_size=5)) if rules else ():
                row[rule.condition.at] = rule.condition.first
            found = RULES.examine(row, categories, Disclosure.BY_CATEGORY)
            assert len(found.rules) <= MOST_NAMED
            seen.add((found.level, found.rules))
        assert centibits_of(len(seen)) <= RULES.centibits(categories, Disclosure.BY_CATEGORY)

    def test_a_rule_on_an_edge_that_is_none_is_refused(self) -> None:
        text = (
            "code: r\nversion: 1\nprovenance: p\n"
            "rules: [{id: a, level: %s, feature: %s, from: %s, title: {zh: 甲, en: a}, source: s}]"
        )
        assert compile_rules(parse_public_data((text % ("red", "pen_cnt_m12", 2)).encode()), CATALOGUE).rules
        for wrong in (
            ("none", "pen_cnt_m12", 2),
            ("red", "pen_cnt_m12", 2.5),
            ("red", "nothing", 2),
            ("red", "pen_cnt_m12", "x"),
        ):
            with pytest.raises(CatalogueError):
                compile_rules(parse_public_data((text % wrong).encode()), CATALOGUE)


class TestStatements:
    def test_each_is_read_as_it_was_signed(self) -> None:
        assert parse_opt_in(read_unverified(OPT_IN.sign(KEY))) == OPT_IN
        everybody = replace(OPT_IN, banks=())
        assert parse_opt_in(read_unverified(everybody.sign(KEY))) == everybody
        leaving = OptOut(STAMP, FIRM)
        assert parse_opt_out(read_unverified(leaving.sign(KEY))) == leaving
        said = Confirmation(ENCLAVE, FIRM, False, "0" * 64, NOW)
        assert parse_confirmation(read_unverified(said.sign(KEY))) == said
        told = Told(ENCLAVE, "d", NOW, FIRM, BANK, DisclosureKind.ALERT, "0" * 64, 200, "s", "2026-10-31")
        assert parse_disclosure(read_unverified(told.sign(KEY))) == told
        for reader in (READER.public, None):
            found = parse_subscription(read_unverified(Subscription(STAMP, reader).sign(KEY)))
            assert (found.reader is None) == (reader is None)
            order = WatchOrder(STAMP, FIRM, "0" * 64, reader)
            assert parse_watch(read_unverified(order.sign(KEY))).authorization == "0" * 64

    @pytest.mark.parametrize(
        "change",
        [
            {"purpose": "loan_origination"}, {"purpose_version": 2}, {"banks": []}, {"banks": ["A b"]},
            {"banks": ["a", "a"]}, {"not_after": NOW}, {"not_after": NOW + 367 * 86_400}, {"extra": 1}, {"sub": None},
            {"iss": "bank-a"}, {"notice_hash": "x"}, {"scorecard_digest": None},
        ],
        ids=str,
    )  # fmt: skip
    def test_an_opt_in_out_of_bounds_is_malformed(self, change: dict[str, Any]) -> None:
        with pytest.raises(DocumentMalformed):
            parse_opt_in(claims(OPT_IN.sign(KEY), **change))

    def test_the_notice_is_made_from_the_terms(self) -> None:
        text = render_notice(OPT_IN, SCORECARD, CATALOGUE)
        assert text.startswith("【白名单告知书") and text.index("您") < text.index("You")
        for said in (FIRM, "bank-a", "1比特", "纳税信息", "e-1", SCORECARD.reference):
            assert said in text
        hashes = {notice_hash(OPT_IN, SCORECARD, CATALOGUE)}
        for change in ({"banks": ()}, {"not_after": NOW + 90_000}, {"enterprise": parse_uscc(uscc_number(2))}):
            hashes.add(notice_hash(replace(OPT_IN, **change), SCORECARD, CATALOGUE))
        assert len(hashes) == 4
        assert notice_hash(replace(OPT_IN, stamp=replace(STAMP, nonce="m" * 24)), SCORECARD, CATALOGUE) in hashes


members = st.lists(st.integers(0, 999_999), unique=True, max_size=1_000)


class TestLists:
    @given(members, st.integers(0, 3))
    @settings(max_examples=25, deadline=None)
    def test_a_list_survives_being_split_and_shuffled(self, numbers: list[int], spare: int) -> None:
        listed = [Member(parse_uscc(uscc_number(n)), "0" * 32) for n in numbers[::2]]
        gone = [Withdrawal(parse_uscc(uscc_number(n)), NOW) for n in numbers[1::2]]
        head = replace(HEAD, parts=min(MAX_PARTS, parts_needed(len(numbers)) + spare))
        parts = list(split(head, listed, gone))
        found, again, left = join(parts[::-1])
        assert (found, list(again), list(left)) == (head, listed, gone)
        if len(parts) > 1:
            for damaged in (parts[1:], [*parts, parts[0]], [parts[0]] * len(parts)):
                with pytest.raises(DocumentMalformed):
                    join(damaged)

    def test_parts_are_as_many_as_the_candidates_need(self) -> None:
        counts = [parts_needed(n) for n in (0, 1, PART_ENTRIES, PART_ENTRIES + 1, 10**9)]
        assert counts == [1, 1, 1, 2, MAX_PARTS]
        with pytest.raises(ValueError, match="room"):
            list(split(HEAD, [Member(FIRM, "0" * 32)] * (PART_ENTRIES + 1), []))

    def test_two_versions_do_not_mix_and_nobody_is_named_twice(self) -> None:
        (first,) = split(HEAD, [Member(FIRM, "0" * 32)], [])
        other = replace(first, head=replace(HEAD, version=4))
        twice = replace(first, withdrawn=(Withdrawal(FIRM, NOW),))
        for parts in ([first, other], [twice], []):
            with pytest.raises(DocumentMalformed):
                join(parts)

    @pytest.mark.parametrize(
        "change", [{"version": 0}, {"part": 1}, {"parts": 101}, {"members": []}, {"exp": None}, {"extra": 1},
                   {"members": [{"sub": FIRM}]}, {"withdrawn": [{"sub": FIRM, "at": -1}]}], ids=str,
    )  # fmt: skip
    def test_a_part_out_of_bounds_is_malformed(self, change: dict[str, Any]) -> None:
        (part,) = split(HEAD, [Member(FIRM, "0" * 32)], [])
        key = KEY
        raw = READER.open(part.seal(key, READER.public)).decode()
        assert parse_part(read_unverified(raw)) == part
        with pytest.raises(DocumentMalformed):
            parse_part(claims(raw, **change))


class TestAlerts:
    def test_an_alert_is_read_as_it_was_made_and_its_length_tells_nothing(self) -> None:
        loud, quiet = (a.seal(KEY, READER.public) for a in (ALERT, replace(ALERT, level=Level.NONE, rules=())))
        assert len(loud) == len(quiet)
        assert parse_alert(read_unverified(READER.open(loud).decode())) == ALERT

    @pytest.mark.parametrize(
        "change", [{"level": "green"}, {"rules": []}, {"rules": ["a", "b", "c", "d"]}, {"number": 0}, {"extra": 1},
                   {"sub": "x"}, {"level": 1}], ids=str,
    )  # fmt: skip
    def test_an_alert_out_of_bounds_is_malformed(self, change: dict[str, Any]) -> None:
        raw = READER.open(ALERT.seal(KEY, READER.public)).decode()
        with pytest.raises(DocumentMalformed):
            parse_alert(claims(raw, **change))
