"""The life of authorizations and requests in the authority's database: every step, every narrowing, every event."""

import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from xinyidai.authorization import Authorization, Disclosure
from xinyidai.events import EVENT_TYPE, AuthorizationEvent, EventAcknowledgement, EventKind, Initiator, parse_event
from xinyidai.identity import Role, verify_with_chain
from xinyidai.lifecycle import STEPS, GrantPhase, Step, StepRefused, follow
from xinyidai.proposals import Proposal, proposal_digest
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.authority import access, events, grants, proposals
from enclave.authority.store import _STEPS, _open, transaction
from enclave.errors import Refused
from tests.support.authority import (
    BANK,
    ENCLAVES_CA,
    ENTERPRISE,
    OTHER_BANK,
    USCC,
    Bank,
    Desk,
    Enterprise,
    charged,
    granted,
    refused,
    stamp,
)

ANCHOR = ENCLAVES_CA.anchor(Role.ENCLAVE)
CATEGORIES = ("tax_payment", "social_insurance", "water_usage")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(_open(tmp_path / "authority.sqlite"))
    made.enrol(ENTERPRISE)
    yield made
    made.connection.close()


def told(desk: Desk, bank: Bank = BANK) -> list[AuthorizationEvent]:
    """A bank's events, each one verified; gapless from 1."""
    rows = [row for row in events.events_after(desk.connection, 0, 10_000) if row[1] == bank.bank_id]
    found = [parse_event(verify_with_chain(token, EVENT_TYPE, ANCHOR).claims) for _, _, _, token in rows]
    assert [event.sequence for event in found] == list(range(1, len(found) + 1)) == [row[2] for row in rows]
    assert {event.bank for event in found} <= {bank.bank_id}
    return found


def kinds(desk: Desk, bank: Bank = BANK) -> list[str]:
    return [str(event.kind) for event in told(desk, bank)]


def terms(desk: Desk, **changes: Any) -> Authorization:
    order = [c.code for c in desk.trust.catalogue.categories]
    chosen = tuple(sorted(changes.pop("categories", CATEGORIES), key=order.index))
    return ENTERPRISE.terms(changes.pop("of", BANK), desk.now, categories=chosen, **changes)


class TestTable:
    def test_no_step_leads_out_of_what_is_final(self) -> None:
        for state in (GrantPhase.REVOKED, GrantPhase.REJECTED):
            assert {after for (before, _), after in STEPS.items() if before is state} == {state}

    def test_nothing_becomes_active_but_by_the_enterprises_word(self) -> None:
        woken = {step for (before, step), after in STEPS.items() if after is GrantPhase.ACTIVE is not before}
        assert woken == {Step.ACCEPT, Step.RESUME}

    def test_a_missing_step_is_refused_with_the_state(self) -> None:
        with pytest.raises(StepRefused) as caught:
            follow(GrantPhase.REVOKED, Step.RESUME)
        assert caught.value.state is GrantPhase.REVOKED


class TestNarrowing:
    def test_the_old_one_ends_in_the_same_moment_and_the_bank_is_told_once(self, desk: Desk) -> None:
        model = desk.register(BANK)
        old = desk.submit(ENTERPRISE, terms(desk))
        new = desk.submit(ENTERPRISE, terms(desk, categories=CATEGORIES[:1], parent=old))
        assert desk.ask(BANK, model, old).reason is Reason.AUTHORIZATION_REVOKED  # type: ignore[union-attr]
        assert charged(desk.ask(BANK, model, new)).categories == CATEGORIES[:1]
        first, second = told(desk)
        assert (first.kind, first.authorization) == (EventKind.AUTHORIZED, old)
        assert (second.kind, second.authorization, second.parent) == (EventKind.NARROWED, new, old)
        assert first.delete_by is None and second.delete_by is not None

    @pytest.mark.parametrize(
        "wider",
        [
            {"categories": (*CATEGORIES, "gas_usage")},
            {"max_assessments": 6},
            {"precision_points": 7},
            {"disclosure": Disclosure.BY_CATEGORY},
            {"expires_at": 1_790_000_000 + 21 * DAY_SECONDS},
            {"not_before": 1_790_000_000 - 1},
            {"of": OTHER_BANK},
            {"bank_certificate": OTHER_BANK.leaf.thumbprint},
            {"demand": "d" * 32},
            {"purpose": "post_loan_monitoring", "term_end": 1_790_000_000 + 20 * DAY_SECONDS},
        ],
    )
    def test_nothing_may_get_wider(self, desk: Desk, wider: dict[str, Any]) -> None:
        end = desk.now + 20 * DAY_SECONDS
        narrow = {"precision_points": 8, "max_assessments": 5, "expires_at": end}
        old = desk.submit(ENTERPRISE, terms(desk, **narrow))
        child = terms(desk, **{**narrow, **wider}, parent=old)
        assert refused(desk.submit, ENTERPRISE, child) is Reason.AUTHORIZATION_WIDER
        assert kinds(desk) == ["authorized"]
        desk.submit(ENTERPRISE, terms(desk, **narrow, parent=old))

    def test_uses_that_were_made_do_not_come_back(self, desk: Desk) -> None:
        model = desk.register(BANK)
        old = desk.submit(ENTERPRISE, terms(desk, max_assessments=2))
        desk.answer(charged(desk.ask(BANK, model, old)))
        assert (
            refused(desk.submit, ENTERPRISE, terms(desk, max_assessments=2, parent=old)) is Reason.AUTHORIZATION_WIDER
        )
        desk.submit(ENTERPRISE, terms(desk, max_assessments=1, parent=old))

    def test_the_pause_between_assessments_runs_on(self, desk: Desk) -> None:
        model, end = desk.register(BANK), desk.now + 300 * DAY_SECONDS
        watching = {"purpose": "post_loan_monitoring", "expires_at": end, "term_end": end}
        old = desk.submit(ENTERPRISE, terms(desk, **watching))
        desk.answer(charged(desk.ask(BANK, model, old)))
        new = desk.submit(ENTERPRISE, terms(desk, **watching, max_assessments=9, parent=old))
        assert desk.ask(BANK, model, new).reason is Reason.PURPOSE_LIMIT  # type: ignore[union-attr]
        desk.now += 29 * DAY_SECONDS
        charged(desk.ask(BANK, model, new))

    def test_a_pause_goes_on_and_stopping_the_old_one_stops_the_new(self, desk: Desk) -> None:
        old = desk.submit(ENTERPRISE, terms(desk))
        desk.state(ENTERPRISE, Action.PAUSE, old)
        child = terms(desk, parent=old)
        assert granted(desk.submit_token(child.sign(ENTERPRISE.key))).state == "paused"
        # A device that never saw the narrowing revokes what it knows.
        done = desk.state(ENTERPRISE, Action.REVOKE, old)
        assert done is not None and done.state == "revoked"
        assert kinds(desk) == ["authorized", "paused", "narrowed", "revoked"]

    @pytest.mark.parametrize("action", [Action.REVOKE, None])
    def test_what_has_ended_or_is_anothers_cannot_be_narrowed(self, desk: Desk, action: Action | None) -> None:
        old = desk.submit(ENTERPRISE, terms(desk))
        if action:
            desk.state(ENTERPRISE, action, old)
            assert refused(desk.submit, ENTERPRISE, terms(desk, parent=old)) is Reason.AUTHORIZATION_REVOKED
        else:
            other = Enterprise("91320703MA0000001X")
            desk.enrol(other)
            foreign = other.terms(BANK, desk.now, parent=old)
            assert refused(desk.submit, other, foreign) is Reason.AUTHORIZATION_UNKNOWN


class TestProposals:
    def ask(self, desk: Desk, bank: Bank = BANK, **changes: Any) -> str:
        """A bank's request, kept; its token."""
        raw = self.raw(desk, bank, **changes)
        assert proposals.submit_proposal(desk.connection, desk.trust, raw, desk.now) == proposal_digest(raw)
        return raw

    def raw(self, desk: Desk, bank: Bank = BANK, **changes: Any) -> str:
        grant = terms(desk)
        document = Proposal(
            stamp=stamp(bank.bank_id, desk.now),
            enterprise=USCC,
            categories=grant.categories,
            purpose=grant.purpose,
            purpose_version=grant.purpose_version,
            disclosure=grant.disclosure,
            precision_points=8,
            max_assessments=3,
            valid_days=20,
            catalogue=grant.catalogue,
            catalogue_digest=grant.catalogue_digest,
            respond_by=desk.now + 5 * DAY_SECONDS,
        )
        return replace(document, **changes).sign(bank.key)

    def within(self, desk: Desk, raw: str, **changes: Any) -> Authorization:
        asked = {"precision_points": 8, "max_assessments": 3, "expires_at": desk.now + 20 * DAY_SECONDS}
        return terms(desk, **{**asked, "request": proposal_digest(raw), **changes})

    def test_accepted_as_asked_or_narrower(self, desk: Desk) -> None:
        for changes in ({}, {"categories": CATEGORIES[1:2], "max_assessments": 1, "precision_points": 31}):
            raw = self.ask(desk)
            assert raw in proposals.open_proposals(desk.connection, USCC, desk.now)
            digest = desk.submit(ENTERPRISE, self.within(desk, raw, **changes))
            assert raw not in proposals.open_proposals(desk.connection, USCC, desk.now)
            last = told(desk)[-1]
            assert (last.kind, last.authorization, last.request) == ("authorized", digest, proposal_digest(raw))
            assert refused(desk.submit, ENTERPRISE, self.within(desk, raw)) is Reason.PROPOSAL_STATE

    @pytest.mark.parametrize(
        "wider",
        [
            {"categories": (*CATEGORIES, "gas_usage")},
            {"precision_points": 0},
            {"max_assessments": 4},
            {"expires_at": 1_790_000_000 + 20 * DAY_SECONDS + 1},
            {"of": OTHER_BANK},
            {"bank_certificate": OTHER_BANK.leaf.thumbprint},
            {"disclosure": Disclosure.BY_CATEGORY},
            {"term_end": 1_790_000_000 + 20 * DAY_SECONDS},
        ],
    )
    def test_never_wider_than_asked(self, desk: Desk, wider: dict[str, Any]) -> None:
        raw = self.ask(desk)
        assert refused(desk.submit, ENTERPRISE, self.within(desk, raw, **wider)) is Reason.AUTHORIZATION_WIDER
        assert proposals.open_proposals(desk.connection, USCC, desk.now) == [raw] and told(desk) == []

    def test_rejected_and_final(self, desk: Desk) -> None:
        raw = self.ask(desk)
        for _ in range(2):
            desk.carry_out(ENTERPRISE.statement(Action.REJECT_REQUEST, desk.now, request=proposal_digest(raw)))
        (event,) = told(desk)
        assert (event.kind, event.request, event.authorization, event.delete_by) == (
            "rejected", proposal_digest(raw), None, None
        )  # fmt: skip
        assert refused(desk.submit, ENTERPRISE, self.within(desk, raw)) is Reason.PROPOSAL_STATE
        stranger = ENTERPRISE.statement(Action.REJECT_REQUEST, desk.now, request="0" * 64)
        assert refused(desk.carry_out, stranger) is Reason.PROPOSAL_UNKNOWN

    def test_nobody_asks_in_a_banks_name_nor_beyond_the_purpose(self, desk: Desk) -> None:
        def send(raw: str) -> Reason:
            return refused(proposals.submit_proposal, desk.connection, desk.trust, raw, desk.now)

        forged = stamp(BANK.bank_id, desk.now)
        assert send(self.raw(desk, OTHER_BANK, stamp=forged)) is Reason.CERTIFICATE_INVALID
        assert send(self.raw(desk, valid_days=32)) is Reason.PURPOSE_LIMIT
        assert send(self.raw(desk, max_assessments=11)) is Reason.PURPOSE_LIMIT
        assert send(self.raw(desk, categories=("weather",))) is Reason.CATEGORY_UNKNOWN
        assert send(self.raw(desk, respond_by=desk.now + 31 * DAY_SECONDS)) is Reason.DOCUMENT_MALFORMED
        assert send(self.raw(desk, catalogue_digest="0" * 64)) is Reason.CATALOGUE_UNKNOWN
        kept = self.ask(desk)
        assert send(kept) is Reason.NONCE_SPENT

    def test_a_bank_cannot_press_an_enterprise_without_end(self, desk: Desk) -> None:
        for _ in range(proposals.MAX_OPEN_OF_PAIR):
            self.ask(desk)
        again = self.raw(desk)
        refusal = refused(proposals.submit_proposal, desk.connection, desk.trust, again, desk.now)
        assert refusal is Reason.PROPOSAL_LIMIT
        self.ask(desk, OTHER_BANK)
        desk.now += 6 * DAY_SECONDS
        assert proposals.open_proposals(desk.connection, USCC, desk.now) == []
        self.ask(desk)

    def test_what_nobody_answered_lapses_and_the_bank_is_told(self, desk: Desk) -> None:
        raw = self.ask(desk)
        desk.now += 5 * DAY_SECONDS
        assert refused(desk.submit, ENTERPRISE, self.within(desk, raw)) is Reason.PROPOSAL_STATE
        assert events.lapse_due(desk.connection, desk.trust, desk.now) == 1
        assert events.lapse_due(desk.connection, desk.trust, desk.now) == 0
        (event,) = told(desk)
        assert (event.kind, event.initiator, event.request) == ("expired", Initiator.TIME, proposal_digest(raw))


class TestReminders:
    def test_what_ends_soon_is_to_renew_and_old_monitoring_to_reconfirm(self, desk: Desk) -> None:
        end = desk.now + 200 * DAY_SECONDS
        watching = {"purpose": "post_loan_monitoring", "expires_at": end, "term_end": end}
        digest = desk.grant(ENTERPRISE, BANK, **watching)

        def flags() -> tuple[bool, bool]:
            (row,) = access.grants_of(desk.connection, USCC, desk.now)
            return row.renewal_due, row.reconfirm_due

        assert flags() == (False, False)
        desk.now += 91 * DAY_SECONDS
        assert flags() == (False, True)
        desk.state(ENTERPRISE, Action.RECONFIRM, digest)
        assert flags() == (False, False)
        desk.now += 80 * DAY_SECONDS
        assert flags() == (True, False)
        desk.state(ENTERPRISE, Action.REVOKE, digest)
        assert flags() == (False, False)

    def test_an_enterprise_whose_key_was_reset_has_nothing_left_in_force(self, desk: Desk) -> None:
        desk.grant(ENTERPRISE, BANK)
        assert grants.reset_key(desk.connection, desk.trust, USCC, desk.now) == 1
        assert [(e.kind, e.initiator) for e in told(desk)] == [
            (EventKind.AUTHORIZED, Initiator.ENTERPRISE),
            (EventKind.REVOKED, Initiator.DATA_HOLDER),
        ]


class TestAcknowledgements:
    def send(self, desk: Desk, sequence: int, event_id: str, bank: Bank = BANK, issuer: str = "") -> int:
        document = EventAcknowledgement(stamp(issuer or bank.bank_id, desk.now), sequence, event_id)
        return events.acknowledge(desk.connection, desk.trust, document.sign(bank.key), desk.now)

    def test_a_bank_acknowledges_what_it_read_and_nothing_else(self, desk: Desk) -> None:
        digest = desk.grant(ENTERPRISE, BANK)
        desk.state(ENTERPRISE, Action.PAUSE, digest)
        first, second = told(desk)
        assert self.send(desk, 2, second.event_id) == 2
        assert self.send(desk, 1, first.event_id) == 2
        assert refused(self.send, desk, 2, first.event_id) is Reason.EVENT_UNKNOWN
        assert refused(self.send, desk, 3, "0" * 32) is Reason.EVENT_UNKNOWN
        assert refused(self.send, desk, 2, second.event_id, OTHER_BANK) is Reason.EVENT_UNKNOWN
        assert refused(self.send, desk, 2, second.event_id, OTHER_BANK, BANK.bank_id) is Reason.CERTIFICATE_INVALID


class LifeMachine(RuleBasedStateMachine):
    """Whatever is done in whatever order: the states are those of the table, and every change is told once, in
    order."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(_open(Path(self.folder.name) / "authority.sqlite"))
        self.desk.enrol(ENTERPRISE)
        self.states: dict[str, GrantPhase] = {}
        self.ends: dict[str, int] = {}
        self.next: dict[str, str] = {}
        self.expected: list[tuple[str, str]] = []

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.connection.close()
            self.folder.cleanup()

    def phase(self, digest: str) -> GrantPhase:
        state = self.states[digest]
        over = self.desk.now >= self.ends[digest] and state in (GrantPhase.ACTIVE, GrantPhase.PAUSED)
        return GrantPhase.EXPIRED if over else state

    @precondition(lambda self: len(self.states) < 4)
    @rule(days=st.integers(1, 31))
    def grant(self, days: int) -> None:
        end = self.desk.now + days * DAY_SECONDS
        digest = self.desk.submit(ENTERPRISE, terms(self.desk, expires_at=end))
        self.states[digest], self.ends[digest] = GrantPhase.ACTIVE, end
        self.expected.append(("authorized", digest))

    @precondition(lambda self: self.states)
    @rule(data=st.data())
    def narrow(self, data: st.DataObject) -> None:
        old = data.draw(st.sampled_from(list(self.states)))
        before, end = self.phase(old), self.ends[old]
        child = terms(self.desk, parent=old, expires_at=max(end, self.desk.now + 1))
        if (before, Step.REPLACE) in STEPS:
            digest = self.desk.submit(ENTERPRISE, child)
            self.states[old], self.next[old] = GrantPhase.REVOKED, digest
            self.states[digest], self.ends[digest] = before, child.expires_at
            self.expected.append(("narrowed", digest))
        else:
            reason = refused(self.desk.submit, ENTERPRISE, child)
            assert reason in (Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_EXPIRED)

    @precondition(lambda self: self.states)
    @rule(data=st.data(), action=st.sampled_from([Action.PAUSE, Action.RESUME, Action.REVOKE]))
    def state(self, data: st.DataObject, action: Action) -> None:
        named = digest = data.draw(st.sampled_from(list(self.states)))
        while action is not Action.RESUME and digest in self.next:
            digest = self.next[digest]
        step = {Action.PAUSE: Step.PAUSE, Action.RESUME: Step.RESUME, Action.REVOKE: Step.REVOKE}[action]
        before = self.phase(digest)
        try:
            done = self.desk.state(ENTERPRISE, action, named)
        except Refused:
            assert (before, step) not in STEPS
            return
        after = follow(before, step)
        assert done is not None and (done.digest, done.state) == (digest, after)
        if after is not before:
            self.states[digest] = after
            kind = {Step.PAUSE: "paused", Step.RESUME: "resumed", Step.REVOKE: "revoked"}[step]
            self.expected.append((kind, digest))

    @rule(days=st.sampled_from([1, 10]))
    def wait(self, days: int) -> None:
        self.desk.now += days * DAY_SECONDS
        due = [
            d for d in self.states if self.phase(d) is GrantPhase.EXPIRED and self.states[d] is not GrantPhase.EXPIRED
        ]
        events.lapse_due(self.desk.connection, self.desk.trust, self.desk.now)
        for digest in sorted(due, key=lambda one: self.ends[one]):
            self.states[digest] = GrantPhase.EXPIRED
            self.expected.append(("expired", digest))

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "desk"):
            return
        assert sorted((e.kind, e.authorization or "") for e in told(self.desk)) == sorted(self.expected)
        known = {
            row[0]: row[1] for row in self.desk.connection.execute("SELECT digest, state FROM authorization").fetchall()
        }
        for digest in self.states:
            usable = self.phase(digest) is GrantPhase.ACTIVE
            stored = known[digest] == "active" and self.desk.now < self.ends[digest]
            assert usable == stored


TestLifeMachine = LifeMachine.TestCase
TestLifeMachine.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)


def test_a_database_with_disputes_of_the_second_schema_keeps_them(tmp_path: Path) -> None:
    path = tmp_path / "authority.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    with transaction(connection, "as an earlier release made it"):
        for step in _STEPS[:2]:
            for statement in step.split(";\n"):
                connection.execute(statement)
        connection.execute("PRAGMA user_version = 2")
        connection.execute(
            "INSERT INTO dispute (enterprise, sealed, state, opened_at) VALUES (?, ?, 'open', 7)", (USCC, b"sealed")
        )
    connection.close()
    connection = _open(path)
    row = connection.execute(
        "SELECT enterprise, sealed, state, opened_at, length(objection_id) FROM dispute"
    ).fetchone()
    assert row == (USCC, b"sealed", "open", 7, 32)
    # It was to act with the next snapshot; now it acts at once.
    assert connection.execute("SELECT enterprise, change FROM row_state").fetchone() == (USCC, 1)
    connection.close()
