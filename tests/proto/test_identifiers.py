"""Unified social credit codes (GB 32100-2015) and the ids of banks and enclaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.identifiers import (
    IdentifierError,
    check_character_holds,
    parse_bank_id,
    parse_enclave_id,
    parse_uscc,
    uscc_check_character,
)

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
STANDARD_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
"""Table of GB 32100-2015, typed in: the module computes powers of 3 instead."""

PUBLISHED = {
    "Huawei Technologies": "914403001922038216",
    "Tencent Computer Systems": "9144030071526726XG",
    "Beijing Baidu Netcom": "91110000802100433B",
    "Industrial and Commercial Bank of China": "91100000100003962T",
    "PetroChina": "91110000710925462X",
    "Bank of China": "911000001000013428",
    "BYD": "91440300192317458F",
    "Gree Electric": "91440400192548256N",
    "Kweichow Moutai": "9152000071430580XT",
    "Jiangsu Hengrui (Lianyungang)": "9132070070404786XB",
    "Sinopec": "91110000710926094P",
}
"""Codes of listed companies as they print them in their notices, quoted from memory. Two independent check digits guard
against a misquotation: that of the code itself, and that of the organisation code in places 9 to 17 (GB 11714)."""


def check_by_the_table(first17: str) -> str:
    """Written from the standard's text for this test, sharing nothing with the module."""
    rest = sum(ALPHABET.index(c) * w for c, w in zip(first17, STANDARD_WEIGHTS, strict=True)) % 31
    return ALPHABET[31 - rest if rest else 0]


def organisation_check(first8: str) -> str:
    """GB 11714: C9 = 11 - sum(c_i * w_i) mod 11, X for 10, 0 for 11."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    values = [int(c) if c.isdigit() else ord(c) - ord("A") + 10 for c in first8]
    rest = 11 - sum(v * w for v, w in zip(values, weights, strict=True)) % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_codes_hold(name: str) -> None:
    code = parse_uscc(PUBLISHED[name])
    assert organisation_check(code[8:16]) == code[16], "misquoted in this test"
    assert check_character_holds(code)


@pytest.mark.parametrize(
    ("first17", "check"),
    [
        ("0" * 17, "0"),  # every product is 0
        ("1" + "0" * 16, "Y"),  # 31 - 1 = 30
        ("0" * 16 + "1", "3"),  # 31 - 28 = 3
        ("Y" * 17, "T"),  # -1 in every place: minus the sum of all weights, 305 = 26 mod 31, so 26
    ],
)
def test_vectors_computed_by_hand(first17: str, check: str) -> None:
    assert uscc_check_character(first17) == check


@given(st.text(ALPHABET, min_size=17, max_size=17))
def test_the_check_character_agrees_with_the_table_of_the_standard(first17: str) -> None:
    assert uscc_check_character(first17) == check_by_the_table(first17)


@given(st.text(ALPHABET, min_size=17, max_size=17), st.integers(0, 16), st.integers(1, 30))
def test_any_single_wrong_character_is_noticed(first17: str, at: int, by: int) -> None:
    wrong = ALPHABET[(ALPHABET.index(first17[at]) + by) % 31]
    changed = first17[:at] + wrong + first17[at + 1 :]
    assert uscc_check_character(changed) != uscc_check_character(first17)


def test_a_legacy_code_with_a_wrong_check_character_is_still_a_code() -> None:
    assert not check_character_holds(parse_uscc("914403001922038215"))


@pytest.mark.parametrize(
    "raw", ["", "91440300192203821", "9144030019220382166", "91440300192203821I", "91440300192203821o",
            "914403001922038216\n", " 914403001922038216", "91440300192203821６"],
)  # fmt: skip
def test_other_texts_are_no_code(raw: str) -> None:
    with pytest.raises(IdentifierError) as caught:
        parse_uscc(raw)
    assert raw == "" or raw not in str(caught.value), "an error repeats no input"


@given(st.text(max_size=70))
def test_ids_are_parsed_or_refused(raw: str) -> None:
    for parse in (parse_uscc, parse_bank_id, parse_enclave_id):
        try:
            assert parse(raw) == raw
        except IdentifierError:
            pass


@pytest.mark.parametrize("raw", ["-bank", ".bank", "Bank", "bank a", "bank\n", "b" * 64, "bank:a", ""])
def test_a_name_is_short_and_plain(raw: str) -> None:
    with pytest.raises(IdentifierError):
        parse_bank_id(raw)
