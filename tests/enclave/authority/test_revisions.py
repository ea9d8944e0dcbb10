"""Rows changed since a snapshot: nobody is charged on a row that does not account for every change before the
charge."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from xinyidai.disputes import Objection, RecordName
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.authority import revisions
from enclave.authority.disputes import left_out
from enclave.authority.ledger import Present, Stored
from enclave.authority.revisions import RowsOutdated, keep_row, row_in_force
from enclave.authority.store import _open
from tests.support.authority import BANK, ENTERPRISE, OTHER_BANK, USCC, Desk, _machine, charged

RECORD = RecordName("tax_payment", "r-1")
CELLS = np.arange(92, dtype=np.uint16).tobytes()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(_open(tmp_path / "authority.sqlite"))
    made.enrol(ENTERPRISE)
    yield made
    made.connection.close()


def say(desk: Desk, action: Action = Action.DISPUTE, record: RecordName = RECORD) -> None:
    _, key = _machine()
    desk.carry_out(ENTERPRISE.statement(action, desk.now, record=Objection(record).seal(key.public)))


def compute(desk: Desk, cells: bytes = CELLS) -> None:
    """What the service does between an objection and the next charge."""
    environment, _ = _machine()
    out = left_out(desk.connection, environment, USCC)
    keep_row(desk.connection, USCC, desk.present.snapshot, out.change, cells)


def test_a_changed_row_is_another_question_and_the_old_answer_is_not_given_again(desk: Desk) -> None:
    model, digest = desk.register(BANK), desk.grant(ENTERPRISE, BANK)
    first = charged(desk.ask(BANK, model, digest))
    desk.answer(first)
    assert isinstance(desk.ask(BANK, model, digest), Stored)
    say(desk)
    compute(desk)
    second = charged(desk.ask(BANK, model, digest))
    assert second.assessment_id != first.assessment_id and second.cells == CELLS
    assert (first.revision, bool(second.revision)) == ("", True)
    desk.answer(second)
    assert isinstance(desk.ask(BANK, model, digest), Stored)


def test_a_row_that_is_not_computed_costs_nothing_and_spends_nothing(desk: Desk) -> None:
    model, digest = desk.register(BANK), desk.grant(ENTERPRISE, BANK)
    say(desk)
    raw = BANK.request(model, digest, desk.now)
    with pytest.raises(RowsOutdated):
        desk.charge(raw)
    assert desk.spent(ENTERPRISE) == 0
    compute(desk)
    (outcome,) = desk.charge(raw)
    assert charged(outcome).cells == CELLS


def test_a_bank_without_an_authorization_does_not_notice_an_objection(desk: Desk) -> None:
    theirs = desk.register(OTHER_BANK)
    digest = desk.grant(ENTERPRISE, BANK)
    before = desk.ask(OTHER_BANK, theirs, digest)
    say(desk)
    after = desk.ask(OTHER_BANK, theirs, digest)
    assert before.reason is after.reason is Reason.AUTHORIZATION_SCOPE  # type: ignore[union-attr]
    desk.state(ENTERPRISE, Action.REVOKE, digest)
    own = desk.ask(BANK, desk.register(BANK), digest)
    assert own.reason is Reason.AUTHORIZATION_REVOKED  # type: ignore[union-attr]


def test_an_objection_to_a_record_that_does_not_exist_looks_like_any_other(desk: Desk) -> None:
    say(desk, record=RecordName("tax_payment", "no such record"))
    first = desk.connection.execute("SELECT revision FROM row_state").fetchone()
    say(desk, Action.WITHDRAW_DISPUTE, RecordName("tax_payment", "no such record"))
    assert first != desk.connection.execute("SELECT revision FROM row_state").fetchone()


def test_a_snapshot_that_accounts_for_the_change_needs_no_row_of_its_own(desk: Desk) -> None:
    model, digest = desk.register(BANK), desk.grant(ENTERPRISE, BANK)
    say(desk)
    compute(desk)
    asked = charged(desk.ask(BANK, model, digest))
    desk.answer(asked)
    change = revisions.last_change(desk.connection)
    desk.present = Present("snapshot-2", "2026-10-31", 1, change)
    revisions.drop_rows(desk.connection, "snapshot-2", change)
    assert isinstance(desk.ask(BANK, model, digest), Stored)
    assert charged(desk.ask(BANK, model, digest, fresh=True)).cells is None
    # A change that the load did not see yet is found missing, whatever the load believed.
    say(desk, Action.WITHDRAW_DISPUTE)
    with pytest.raises(RowsOutdated):
        desk.ask(BANK, model, digest)
    assert revisions.outdated(desk.connection, "snapshot-2", change) == [USCC]


class RowMachine(RuleBasedStateMachine):
    """Objections, loads and computations in any order: a row in force always accounts for the last change."""

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(_open(Path(self.folder.name) / "authority.sqlite"))
        self.desk.enrol(ENTERPRISE)
        self.out: set[str] = set()
        self.in_snapshot: set[str] = set()
        self.accounted, self.snapshot = 0, 0

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.connection.close()
            self.folder.cleanup()

    @rule(number=st.integers(1, 3))
    def toggle(self, number: int) -> None:
        name = f"r-{number}"
        say(self.desk, Action.WITHDRAW_DISPUTE if name in self.out else Action.DISPUTE, RecordName("tax_payment", name))
        self.out ^= {name}

    @rule()
    def load(self) -> None:
        environment, _ = _machine()
        seen = left_out(self.desk.connection, environment)
        self.snapshot += 1
        self.accounted, self.in_snapshot = seen.change, {one.record_id for one in seen.disputed}
        self.desk.present = Present(f"s-{self.snapshot}", "2026-10-31", 1, self.accounted)

    @rule()
    def compute(self) -> None:
        compute(self.desk, " ".join(sorted(self.out)).encode())

    @rule()
    def use(self) -> None:
        try:
            row = row_in_force(self.desk.connection, USCC, self.desk.present.snapshot, self.accounted)
        except RowsOutdated:
            return
        used = self.in_snapshot if row.cells is None else set(row.cells.decode().split())
        assert used == self.out


TestRowMachine = RowMachine.TestCase
TestRowMachine.settings = settings(max_examples=30, stateful_step_count=15, deadline=None)
