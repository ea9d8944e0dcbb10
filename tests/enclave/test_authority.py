"""The authority and its ledger: who may ask what, and what it costs. Real documents on a real database."""

import sqlite3
from pathlib import Path

import pytest
from xinyidai.authorization import Disclosure
from xinyidai.identifiers import parse_enclave_id
from xinyidai.identity import Role
from xinyidai.parameters import LINEAR_4096_T1024, TREES_8192
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.requests import AssessmentItem
from xinyidai.signing import DocumentMalformed
from xinyidai.statements import Action

from enclave.authority import grants, ledger, models
from enclave.authority.ledger import Charged, Present, Stored
from enclave.errors import Refused
from tests.support.authority import (
    ANSWER,
    BANK,
    ENTERPRISE,
    OTHER_BANK,
    USCC,
    Bank,
    Desk,
    Enterprise,
    charged,
    make_trust,
    refused,
    stamp,
)
from tests.support.certificates import make_authority


def refusal(outcome: object) -> Reason:
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


# --- Charging -------------------------------------------------------------------------------------------------------


def test_the_charge_is_on_disk_before_there_is_any_answer(desk: Desk, model: str, tmp_path: Path) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    entry = charged(desk.ask(BANK, model, digest))
    assert (entry.centibits, entry.charged_at) == (ANSWER, desk.now)
    other = sqlite3.connect(tmp_path / "authority.sqlite")
    assert other.execute("SELECT centibits, receipt FROM assessment").fetchall() == [(ANSWER, None)]
    other.close()
    assert desk.spent(ENTERPRISE) == desk.spent(ENTERPRISE, BANK) == ANSWER


def test_repeats_are_free_and_return_the_stored_bytes(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    first = desk.answer(charged(desk.ask(BANK, model, digest)), b"the bytes")
    for _ in range(3):
        again = desk.ask(BANK, model, digest)
        assert isinstance(again, Stored)
        assert (again.receipt, again.parts) == (first.receipt, first.parts) == (first.receipt, (("", b"the bytes"),))
    assert desk.spent(ENTERPRISE) == ANSWER
    (use,), _ = ledger.usage_of(desk.connection, USCC, 1 << 60, 10)
    assert use.repeats == 3


def test_fresh_assessments_are_charged_in_full(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    ids = set()
    for _ in range(3):
        entry = charged(desk.ask(BANK, model, digest, fresh=True))
        desk.answer(entry)
        ids.add(entry.assessment_id)
    assert len(ids) == 3
    assert desk.spent(ENTERPRISE) == 3 * ANSWER


def test_another_question_is_another_charge(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    desk.answer(charged(desk.ask(BANK, model, digest)))
    coarse = charged(desk.ask(BANK, model, digest, precision_points=8))
    assert coarse.centibits == LINEAR_4096_T1024.centibits(8)
    charged(desk.ask(BANK, desk.register(BANK), digest))
    assert desk.spent(ENTERPRISE) == 2 * ANSWER + coarse.centibits


def test_by_category_is_charged_once_for_each_answer(desk: Desk, model: str) -> None:
    codes = ("tax_payment", "social_insurance")
    digest = desk.grant(
        ENTERPRISE, BANK, categories=codes, disclosure=Disclosure.BY_CATEGORY, precision_points=31, max_assessments=2
    )
    entry = charged(desk.ask(BANK, model, digest, disclosure=Disclosure.BY_CATEGORY, precision_points=31))
    assert entry.categories == codes
    assert entry.centibits == 2 * LINEAR_4096_T1024.centibits(31)
    assert [category for category, _ in desk.answer(entry).parts] == list(codes)


def test_a_charge_without_answer_is_completed_under_its_own_id(desk: Desk, model: str) -> None:
    """The process died between charge and answer; the next request resumes, at no further cost."""
    digest = desk.grant(ENTERPRISE, BANK, max_assessments=1)
    before = charged(desk.ask(BANK, model, digest))
    desk.now += 60
    after = charged(desk.ask(BANK, model, digest))
    same = ("assessment_id", "charged_at", "request", "centibits", "categories")
    assert [getattr(before, n) for n in same] == [getattr(after, n) for n in same]
    assert desk.spent(ENTERPRISE) == ANSWER


def test_two_evaluations_of_one_charge_both_return_what_was_stored_first(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    entry = charged(desk.ask(BANK, model, digest))
    first, second = desk.answer(entry, b"1", "receipt 1"), desk.answer(entry, b"2", "receipt 2")
    assert (first.receipt, first.parts) == (second.receipt, second.parts) == ("receipt 1", (("", b"1"),))


@pytest.mark.parametrize("changed", [Present("snapshot-2", "2026-11-30", 1), Present("snapshot-1", "2026-10-31", 2)])
def test_a_new_snapshot_or_epoch_makes_an_unanswered_charge_a_new_one(desk: Desk, model: str, changed: Present) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    before = charged(desk.ask(BANK, model, digest))
    desk.present = changed
    after = charged(desk.ask(BANK, model, digest))
    assert before.assessment_id != after.assessment_id
    assert desk.spent(ENTERPRISE) == 2 * ANSWER, "over-counting, never under-counting"


def test_a_stored_answer_outlives_its_snapshot(desk: Desk, model: str) -> None:
    """Otherwise a free repeat would say whether anything changed."""
    digest = desk.grant(ENTERPRISE, BANK)
    first = desk.answer(charged(desk.ask(BANK, model, digest)))
    desk.present = Present("snapshot-2", "2026-11-30", 2)
    again = desk.ask(BANK, model, digest)
    assert isinstance(again, Stored) and again.parts == first.parts


# --- Limits ---------------------------------------------------------------------------------------------------------


def test_an_authorization_is_used_up(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK, max_assessments=2)
    for _ in range(2):
        desk.answer(charged(desk.ask(BANK, model, digest, fresh=True)))
    assert refusal(desk.ask(BANK, model, digest, fresh=True)) is Reason.AUTHORIZATION_USED_UP
    assert isinstance(desk.ask(BANK, model, digest), Stored), "repeats stay free"


def test_the_budget_for_one_bank_holds(desk: Desk, model: str) -> None:
    """32 bits: three answers of 10.04, not four; another bank has a budget of its own."""
    digest = desk.grant(ENTERPRISE, BANK)
    for _ in range(3):
        desk.answer(charged(desk.ask(BANK, model, digest, fresh=True)))
    assert refusal(desk.ask(BANK, model, digest, fresh=True)) is Reason.BUDGET_BANK_EXHAUSTED
    other = desk.grant(ENTERPRISE, OTHER_BANK)
    charged(desk.ask(OTHER_BANK, desk.register(OTHER_BANK), other))


def test_the_budget_over_all_banks_holds(desk: Desk, model: str) -> None:
    desk.trust = make_trust(bank_bits=32, total_bits=15)
    charged(desk.ask(BANK, model, desk.grant(ENTERPRISE, BANK)))
    other = desk.grant(ENTERPRISE, OTHER_BANK)
    assert refusal(desk.ask(OTHER_BANK, desk.register(OTHER_BANK), other)) is Reason.BUDGET_TOTAL_EXHAUSTED


def test_the_enterprise_sets_its_budgets(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    assert desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=ANSWER - 1) is None
    assert refusal(desk.ask(BANK, model, digest)) is Reason.BUDGET_BANK_EXHAUSTED
    desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=ANSWER)
    desk.answer(charged(desk.ask(BANK, model, digest)))
    desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=10 * ANSWER)
    desk.state(ENTERPRISE, Action.SET_BUDGET, centibits=2 * ANSWER - 1)
    assert refusal(desk.ask(BANK, model, digest, fresh=True)) is Reason.BUDGET_TOTAL_EXHAUSTED


def test_spending_counts_for_twelve_months(desk: Desk, model: str) -> None:
    desk.answer(charged(desk.ask(BANK, model, desk.grant(ENTERPRISE, BANK))))
    desk.now += ledger.WINDOW_SECONDS - 1
    assert desk.spent(ENTERPRISE, BANK) == ANSWER
    desk.now += 1
    assert desk.spent(ENTERPRISE, BANK) == 0


def test_monitoring_asks_the_same_model_every_28_days_at_most(desk: Desk, model: str) -> None:
    digest = desk.grant(
        ENTERPRISE,
        BANK,
        purpose="post_loan_monitoring",
        expires_at=desk.now + 365 * DAY_SECONDS,
        term_end=desk.now + 365 * DAY_SECONDS,
        max_assessments=12,
    )
    desk.answer(charged(desk.ask(BANK, model, digest)))
    desk.now += 28 * DAY_SECONDS - 1
    assert refusal(desk.ask(BANK, model, digest, fresh=True)) is Reason.PURPOSE_LIMIT
    desk.now += 1
    charged(desk.ask(BANK, model, digest, fresh=True))


# --- State of an authorization --------------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [False, True], ids=["new question", "stored answer"])
def test_paused_and_revoked_and_expired_hold_at_once(desk: Desk, model: str, stored: bool) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    if stored:
        desk.answer(charged(desk.ask(BANK, model, digest)))
    desk.state(ENTERPRISE, Action.PAUSE, digest)
    assert refusal(desk.ask(BANK, model, digest)) is Reason.AUTHORIZATION_PAUSED
    desk.state(ENTERPRISE, Action.RESUME, digest)
    assert isinstance(desk.ask(BANK, model, digest), Stored if stored else Charged)
    desk.state(ENTERPRISE, Action.REVOKE, digest)
    assert refusal(desk.ask(BANK, model, digest)) is Reason.AUTHORIZATION_REVOKED
    assert refused(desk.state, ENTERPRISE, Action.RESUME, digest) is Reason.AUTHORIZATION_REVOKED
    other = desk.grant(ENTERPRISE, BANK)
    desk.now += 30 * DAY_SECONDS
    assert refusal(desk.ask(BANK, model, other)) is Reason.AUTHORIZATION_EXPIRED
    assert refusal(desk.ask(BANK, model, digest)) is Reason.AUTHORIZATION_REVOKED, "revoked stays revoked"


def test_an_authorization_does_not_work_before_its_time(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK, not_before=desk.now + 10, expires_at=desk.now + DAY_SECONDS)
    assert refusal(desk.ask(BANK, model, digest)) is Reason.AUTHORIZATION_NOT_YET_VALID


def test_only_the_enterprise_itself_changes_its_authorizations(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    stranger = Enterprise("91440300192317458F")
    desk.enrol(stranger)
    assert refused(desk.state, stranger, Action.PAUSE, digest) is Reason.AUTHORIZATION_UNKNOWN
    # It may revoke what nobody has seen yet; another's stays as it is.
    desk.state(stranger, Action.REVOKE, digest)
    assert desk.state(ENTERPRISE, Action.RESUME, digest) == grants.GrantState(digest, "active")
    impostor = Enterprise()
    assert refused(desk.state, impostor, Action.REVOKE, digest) is Reason.SIGNATURE_INVALID


def test_a_statement_works_once(desk: Desk) -> None:
    raw = ENTERPRISE.statement(Action.PAUSE, desk.now, desk.grant(ENTERPRISE, BANK))
    desk.carry_out(raw)
    again = refused(desk.carry_out, raw)
    assert again is Reason.NONCE_SPENT


# --- Scope ----------------------------------------------------------------------------------------------------------


def test_a_request_stays_within_the_authorization(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK, precision_points=8)
    assert refusal(desk.ask(BANK, model, digest, precision_points=7)) is Reason.AUTHORIZATION_SCOPE
    by_category = {"disclosure": Disclosure.BY_CATEGORY, "precision_points": 8}
    assert refusal(desk.ask(BANK, model, digest, **by_category)) is Reason.AUTHORIZATION_SCOPE
    charged(desk.ask(BANK, model, digest, precision_points=9))


def test_nobody_uses_another_banks_authorization(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    thief = desk.register(OTHER_BANK)
    assert refusal(desk.ask(OTHER_BANK, thief, digest)) is Reason.AUTHORIZATION_SCOPE
    renewed = Bank("bank-a")
    assert refusal(desk.ask(renewed, model, digest)) is Reason.AUTHORIZATION_SCOPE, "another certificate of the bank"
    item = (AssessmentItem(Enterprise("91440300192317458F").uscc, digest),)
    assert refusal(desk.ask(BANK, model, digest, items=item)) is Reason.AUTHORIZATION_SCOPE
    assert refusal(desk.ask(BANK, model, "00" * 32)) is Reason.AUTHORIZATION_UNKNOWN
    assert desk.spent(ENTERPRISE) == 0


def test_nobody_uses_another_banks_model(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, OTHER_BANK)
    assert refused(desk.ask, OTHER_BANK, model, digest) is Reason.MODEL_UNKNOWN


def test_the_platform_cannot_ask_in_a_banks_name(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    forger = make_authority("Banks CA")
    forged = Bank("bank-a", forger.issue(Role.BANK, "bank-a"))
    assert refused(desk.ask, forged, model, digest) is Reason.CERTIFICATE_INVALID
    liar = Bank("bank-b")
    claim = {"stamp": stamp("bank-a", desk.now)}
    assert refused(desk.ask, liar, model, digest, **claim) is Reason.CERTIFICATE_INVALID


def test_a_request_works_once_here_and_now(desk: Desk, model: str) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    raw = BANK.request(model, digest, desk.now)
    desk.charge(raw)
    assert refused(desk.charge, raw) is Reason.NONCE_SPENT
    elsewhere = {"stamp": stamp("bank-a", desk.now, audience=[parse_enclave_id("enclave-b")])}
    assert refused(desk.ask, BANK, model, digest, **elsewhere) is Reason.AUDIENCE_MISMATCH
    for shift in (-301, 61):
        old = {"stamp": stamp("bank-a", desk.now + shift)}
        assert refused(desk.ask, BANK, model, digest, **old) is Reason.DOCUMENT_EXPIRED
    assert desk.spent(ENTERPRISE) == ANSWER


def test_a_spent_nonce_stays_spent_as_long_as_its_document_could_be_accepted(desk: Desk, model: str) -> None:
    raw = BANK.request(model, desk.grant(ENTERPRISE, BANK), desk.now)
    desk.charge(raw)
    for _ in range(50):
        desk.now += 10
        assert refused(desk.charge, raw) in (Reason.NONCE_SPENT, Reason.DOCUMENT_EXPIRED)


def test_items_are_settled_one_by_one(desk: Desk, model: str) -> None:
    good, bad = desk.grant(ENTERPRISE, BANK), desk.grant(ENTERPRISE, OTHER_BANK)
    items = tuple(AssessmentItem(USCC, digest) for digest in (good, bad, "00" * 32))
    outcomes = desk.charge(BANK.request(model, good, desk.now, items=items))
    assert [type(o) for o in outcomes] == [Charged, Refused, Refused]
    assert desk.spent(ENTERPRISE) == ANSWER


def test_an_item_stands_once(desk: Desk, model: str) -> None:
    """Stored answers are free and held whole: copies of one would cost memory and nothing else."""
    digest = desk.grant(ENTERPRISE, BANK)
    twice = (AssessmentItem(USCC, digest),) * 2
    with pytest.raises(DocumentMalformed, match="twice"):
        desk.charge(BANK.request(model, digest, desk.now, items=twice))
    assert desk.spent(ENTERPRISE) == 0


def test_a_refused_request_changes_nothing(desk: Desk) -> None:
    digest = desk.grant(ENTERPRISE, BANK)
    raw = BANK.request("00" * 32, digest, desk.now)
    for _ in range(2):
        assert refused(desk.charge, raw) is Reason.MODEL_UNKNOWN, "not even the nonce is spent"


def test_a_bank_has_room_for_so_many_models_and_the_same_model_again_is_none_more(desk: Desk) -> None:
    desk.trust = make_trust(most_models=2)
    frames = BANK.frames()
    kept = {desk.register(BANK, frames), desk.register(BANK)}
    assert desk.register(BANK, frames) in kept and len(kept) == 2
    for _ in range(2):
        with pytest.raises(Refused) as full:
            desk.register(BANK)
        assert full.value.reason is Reason.MODEL_LIMIT and "may have 2" in str(full.value)
    assert desk.register(Bank("bank-b")), "another bank's room is its own"


def test_a_full_bank_learns_it_before_it_sends_an_ensemble(desk: Desk) -> None:
    """The registration is not spent, and an ensemble that is here already may be sent again."""
    desk.trust = make_trust(most_trees=0)
    frames = BANK.frames()
    raw = BANK.registration(frames, desk.now, parameter_set=TREES_8192.name)
    verified = models.verify_registration(desk.trust, raw, desk.now)
    arguments = (desk.connection, desk.trust, verified, "0" * 64, desk.now)
    for _ in range(2):
        with pytest.raises(Refused) as full:
            models.spend_registration(*arguments)
        assert full.value.reason is Reason.MODEL_LIMIT and "tree ensembles" in str(full.value)
    known = desk.register(BANK, frames)
    models.spend_registration(desk.connection, desk.trust, verified, known, desk.now)
    with pytest.raises(Refused) as spent:
        models.spend_registration(desk.connection, desk.trust, verified, known, desk.now)
    assert spent.value.reason is Reason.NONCE_SPENT
