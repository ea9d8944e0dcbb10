"""The notice an enterprise is shown, the price of a grant, and the purposes that cap it."""

from typing import Any

import pytest
from xinyidai.authorization import Authorization, Disclosure
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.notice import notice_hash, render_notice
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS, PURPOSES, PurposeLimit, check_purpose

CATALOGUE = builtin_catalogue()
USCC = parse_uscc("914403001922038216")
ENCLAVE, BANK = parse_enclave_id("enclave-a"), parse_bank_id("bank-a")
NOW = 1_790_000_000


def some_authorization(**changes: Any) -> Authorization:
    values: dict[str, Any] = {
        "enterprise": USCC,
        "enclaves": (ENCLAVE,),
        "authorization_id": "a" * 16,
        "issued_at": NOW,
        "not_before": NOW,
        "expires_at": NOW + 30 * DAY_SECONDS,
        "bank": BANK,
        "bank_certificate": "t" * 43,
        "notice_hash": "",
        "categories": ("tax_payment", "social_insurance"),
        "purpose": "loan_origination",
        "purpose_version": 1,
        "disclosure": Disclosure.TOTAL,
        "precision_points": 0,
        "max_assessments": 10,
        "catalogue": CATALOGUE.reference,
        "catalogue_digest": CATALOGUE.digest,
    }
    return Authorization(**{**values, **changes})


def test_an_authorization_knows_its_price() -> None:
    grant = some_authorization()
    assert grant.centibits_each() == 1004
    coarse = some_authorization(disclosure=Disclosure.BY_CATEGORY, precision_points=31)
    assert coarse.centibits_each() == 2 * LINEAR_4096_T1024.centibits(31) == 806


def test_the_notice_is_the_same_text_everywhere() -> None:
    text = render_notice(some_authorization(), CATALOGUE)
    assert text == render_notice(some_authorization(notice_hash="other", bank_certificate="other"), CATALOGUE)
    assert text.startswith("【授权告知书")
    assert text.index("您") < text.index("You"), "Chinese first"


def test_the_notice_says_what_the_grant_costs() -> None:
    text = render_notice(some_authorization(), CATALOGUE)
    for said in (
        "914403001922038216",
        "bank-a",
        "10.04",
        "100.40",
        "101",
        "贷前审批",
        "纳税信息",
        "2026-09-21 14:13 UTC",
    ):
        assert said in text
    coarse = render_notice(some_authorization(precision_points=8), CATALOGUE)
    assert "正负 8 分" in coarse and "8 points" in coarse and "5.92" in coarse


CHANGES: dict[str, Any] = {
    "bank": parse_bank_id("bank-b"),
    "expires_at": NOW + 29 * DAY_SECONDS,
    "not_before": NOW + 60,
    "categories": ("tax_payment",),
    "purpose": "post_loan_monitoring",
    "disclosure": Disclosure.BY_CATEGORY,
    "precision_points": 1,
    "max_assessments": 9,
    "enterprise": parse_uscc("91440300192317458F"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_other_terms_are_another_notice(name: str) -> None:
    other = some_authorization(**{name: CHANGES[name]})
    assert notice_hash(other, CATALOGUE) != notice_hash(some_authorization(), CATALOGUE)


@pytest.mark.parametrize("code", PURPOSES)
def test_a_purpose_caps_what_is_granted(code: str) -> None:
    purpose = PURPOSES[code]
    longest = purpose.max_validity_days * DAY_SECONDS
    term = NOW + longest

    def check(**changes: Any) -> None:
        values = {"not_before": NOW, "expires_at": term, "max_assessments": purpose.max_assessments, "term_end": term}
        check_purpose(code, 1, **{**values, **changes})

    check()
    wrong: list[dict[str, Any]] = [{"expires_at": term + 1}, {"max_assessments": purpose.max_assessments + 1}]
    if purpose.needs_term:
        wrong += [{"term_end": None}, {"term_end": term - 1}]
    for changes in wrong:
        with pytest.raises(PurposeLimit):
            check(**changes)
    with pytest.raises(PurposeLimit):
        check_purpose(code, 2, not_before=NOW, expires_at=NOW + 1, max_assessments=1, term_end=term)
