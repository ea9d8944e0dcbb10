"""The ledger against a simple model of it: whatever is done in whatever order, states and sums agree."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from xinyidai.parameters import LINEAR_4096_T1024
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.authority.ledger import RESUME_SECONDS, WINDOW_SECONDS, Charged, Present, Stored
from enclave.authority.store import _open
from enclave.errors import Refused
from enclave.transparency import log
from tests.support.authority import BANK, ENTERPRISE, OTHER_BANK, Bank, Desk, make_trust

BANKS = (BANK, OTHER_BANK)
FRAMES = {bank.bank_id: bank.frames() for bank in BANKS}
MOST = 3
BANK_BITS, TOTAL_BITS = 21, 32
"""Two exact answers a bank and three in all, so that short histories meet every limit."""


@dataclass
class Grant:
    """What the model remembers of an authorization."""

    bank: Bank
    digest: str
    expires_at: int
    state: str = "active"


@dataclass
class Charge:
    grant: Grant
    precision: int
    centibits: int
    at: int
    present: Present
    answered: bool = False


class LedgerMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.desk = Desk(_open(Path(self.folder.name) / "authority.sqlite"))
        self.desk.trust = make_trust(bank_bits=BANK_BITS, total_bits=TOTAL_BITS)
        self.desk.enrol(ENTERPRISE)
        self.models = {bank.bank_id: self.desk.register(bank, FRAMES[bank.bank_id]) for bank in BANKS}
        self.grants: list[Grant] = []
        self.charges: dict[str, Charge] = {}
        for bank in BANKS:
            self.submit(bank, 31)

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.connection.close()
            self.folder.cleanup()

    @precondition(lambda self: len(self.grants) < 5)
    @rule(bank=st.sampled_from(BANKS), days=st.integers(1, 31))
    def submit(self, bank: Bank, days: int) -> None:
        expires_at = self.desk.now + days * DAY_SECONDS
        digest = self.desk.grant(ENTERPRISE, bank, expires_at=expires_at, max_assessments=MOST)
        self.grants.append(Grant(bank, digest, expires_at))

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), action=st.sampled_from([Action.PAUSE, Action.RESUME, Action.REVOKE]))
    def change(self, data: st.DataObject, action: Action) -> None:
        grant = data.draw(st.sampled_from(self.grants))
        wanted = {Action.PAUSE: "paused", Action.RESUME: "active", Action.REVOKE: "revoked"}[action]
        try:
            self.desk.state(ENTERPRISE, action, grant.digest)
        except Refused as refusal:
            assert refusal.reason is Reason.AUTHORIZATION_REVOKED
            assert grant.state == "revoked" != wanted
        else:
            grant.state = wanted

    @rule(days=st.sampled_from([1, 10, 200]))
    def wait(self, days: int) -> None:
        self.desk.now += days * DAY_SECONDS

    def load_snapshot(self, number: int) -> None:
        self.desk.present = Present(f"snapshot-{number}", "2026-10-31", 1)

    @precondition(lambda self: self.grants)
    @rule(data=st.data(), fresh=st.booleans(), precision=st.sampled_from([0, 8]), answer=st.booleans())
    def ask(self, data: st.DataObject, fresh: bool, precision: int, answer: bool) -> None:
        self._ask(data.draw(st.sampled_from(self.grants)), fresh, precision, answer)

    @rule(at=st.integers(0, 1), steps=st.lists(st.tuples(st.booleans(), st.integers(1, 2)), min_size=1, max_size=4))
    def ask_afresh_again_and_again(self, at: int, steps: list[tuple[bool, int]]) -> None:
        """Each time answered or cut off by a crash, on one snapshot or the other."""
        for answer, snapshot in steps:
            self.load_snapshot(snapshot)
            self._ask(self.grants[at], True, 0, answer)

    def _ask(self, grant: Grant, fresh: bool, precision: int, answer: bool) -> None:
        expected = self._expected(grant, fresh, precision)
        outcome = self.desk.ask(
            grant.bank, self.models[grant.bank.bank_id], grant.digest, fresh=fresh, precision_points=precision
        )
        if isinstance(outcome, Refused):
            assert outcome.reason is expected
        elif isinstance(outcome, Stored):
            assert expected == outcome.receipt
        else:
            assert expected in ("new", outcome.assessment_id)
            self._remember(outcome, grant, answer)

    def _remember(self, outcome: Charged, grant: Grant, answer: bool) -> None:
        charge = Charge(
            grant, outcome.precision_points, outcome.centibits, outcome.charged_at, self.desk.present, answer
        )
        known = self.charges.setdefault(outcome.assessment_id, charge)
        known.answered = answer
        if answer:
            self.desk.answer(outcome)

    def _expected(self, grant: Grant, fresh: bool, precision: int) -> Reason | str:
        """A reason, the receipt of a repeat, the id of a charge to complete, or "new"."""
        if grant.state == "revoked":
            return Reason.AUTHORIZATION_REVOKED
        if self.desk.now >= grant.expires_at:
            return Reason.AUTHORIZATION_EXPIRED
        if grant.state == "paused":
            return Reason.AUTHORIZATION_PAUSED
        asked = [(i, c) for i, c in self.charges.items() if c.grant is grant and c.precision == precision]
        if asked:
            name, last = asked[-1]
            if last.answered and not fresh:
                return f"receipt of {name}"
            resumable = last.present == self.desk.present and self.desk.now - last.at < RESUME_SECONDS
            if not last.answered and resumable:
                return name
        return self._limits(grant, LINEAR_4096_T1024.centibits(precision)) or "new"

    def _limits(self, grant: Grant, centibits: int) -> Reason | None:
        if sum(c.grant is grant for c in self.charges.values()) >= MOST:
            return Reason.AUTHORIZATION_USED_UP
        if self._spent(grant.bank) + centibits > 100 * BANK_BITS:
            return Reason.BUDGET_BANK_EXHAUSTED
        if self._spent(None) + centibits > 100 * TOTAL_BITS:
            return Reason.BUDGET_TOTAL_EXHAUSTED
        return None

    def _spent(self, bank: Bank | None) -> int:
        recent = [c for c in self.charges.values() if c.at > self.desk.now - WINDOW_SECONDS]
        return sum(c.centibits for c in recent if bank is None or c.grant.bank is bank)

    @invariant()
    def sums_agree(self) -> None:
        if not hasattr(self, "desk"):
            return
        assert self.desk.spent(ENTERPRISE) == self._spent(None) <= 100 * TOTAL_BITS
        for bank in BANKS:
            assert self.desk.spent(ENTERPRISE, bank) == self._spent(bank) <= 100 * BANK_BITS

    @invariant()
    def the_log_holds_what_is_stored_and_nothing_else(self) -> None:
        if not hasattr(self, "desk"):
            return
        connection = self.desk.connection
        entries = {subject for (subject,) in connection.execute("SELECT subject FROM log_entry")}
        answered = {name for name, charge in self.charges.items() if charge.answered}
        acknowledged = {document for (document,) in connection.execute("SELECT document FROM acknowledgement")}
        assert entries == answered | acknowledged and len(entries) == log.size_of(connection)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
