"""A watch against a simple model of it: in whatever order consent, budgets, snapshots and time change, with crashes in
between, an alert is made exactly when it may be, and is charged exactly then."""

import tempfile
from contextlib import suppress
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from xinyidai.alerts.rules import risk_rules
from xinyidai.authorization import Disclosure
from xinyidai.purposes import DAY_SECONDS
from xinyidai.statements import Action

from enclave.alerts import checks
from enclave.authority.store import _open
from enclave.errors import Refused
from tests.support.authority import BANK, ENTERPRISE, Desk
from tests.support.guard import RISKY, Guard
from tests.support.listing import CATALOGUE
from tests.support.town import GOOD

COST = risk_rules(CATALOGUE).centibits([c.code for c in CATALOGUE.categories], Disclosure.BY_CATEGORY)
USES = 3
YEAR = 365 * DAY_SECONDS


class PowerCut(Exception):
    pass


class WatchMachine(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "authority.sqlite"
        self.guard = Guard(Desk(_open(self.path)))
        self.guard.desk.enrol(ENTERPRISE)
        self.digest = self.guard.grant(max_assessments=USES)
        self.expires_at = self.guard.desk.now + 900 * DAY_SECONDS
        self.consent, self.wanted, self.over = "active", False, False
        self.limit = 3_200
        self.made: list[int] = []
        self.fresh = True
        self.looked = 0
        self.watch()

    def teardown(self) -> None:
        if hasattr(self, "guard"):
            self.guard.desk.connection.close()
            self.folder.cleanup()

    @rule()
    def watch(self) -> None:
        self.guard.desk.now += 1
        try:
            self.guard.watch(self.digest)
        except Refused as refusal:
            assert self.consent != "active" or self.guard.desk.now >= self.expires_at, refusal
        else:
            assert self.consent == "active"
            self.wanted, self.over, self.looked = True, False, 0

    @precondition(lambda self: self.wanted)
    @rule()
    def end(self) -> None:
        self.guard.desk.now += 1
        assert self.guard.watch(self.digest, ends=True).state == "ended"
        self.wanted = False

    @rule(action=st.sampled_from([Action.PAUSE, Action.RESUME, Action.RESUME, Action.REVOKE]))
    def change(self, action: Action) -> None:
        self.guard.desk.now += 1
        with suppress(Refused):
            self.guard.desk.state(ENTERPRISE, action, self.digest)
            self.consent = {Action.PAUSE: "paused", Action.RESUME: "active", Action.REVOKE: "revoked"}[action]

    @rule(limit=st.sampled_from([0, COST, 2 * COST, 3_200]))
    def set_budget(self, limit: int) -> None:
        self.guard.desk.now += 1
        self.guard.desk.state(ENTERPRISE, Action.SET_BUDGET, bank="bank-a", centibits=limit)
        self.limit = limit

    @rule(days=st.sampled_from([1, 14, 28, 200]))
    def wait(self, days: int) -> None:
        self.guard.desk.now += days * DAY_SECONDS

    @rule(risky=st.booleans())
    def load(self, risky: bool) -> None:
        self.guard.load(RISKY if risky else GOOD)
        self.fresh = True

    @rule(risky=st.booleans(), dies=st.booleans())
    def a_month_later(self, risky: bool, dies: bool) -> None:
        self.wait(28)
        self.load(risky)
        self.check(dies)

    @rule()
    def crash(self) -> None:
        self.guard.desk.connection.close()
        self.guard.desk.connection = _open(self.path)

    @rule(dies=st.booleans())
    def check(self, dies: bool) -> None:
        expected = self._due() and self._allowed()
        now = self.guard.desk.now
        if dies and expected:
            make, checks._make = checks._make, _power_cut  # type: ignore[assignment]
            try:
                with suppress(PowerCut):
                    self.guard.check()
            finally:
                checks._make = make
            return
        if self._due():
            self.looked = now
            ended = self.consent == "revoked" or now >= self.expires_at or len(self.made) >= USES
            self.over = self.over or (not expected and self.consent != "paused" and ended)
        assert self.guard.check() == int(expected)
        if expected:
            self.made.append(now)
            self.fresh, self.looked = False, 0

    def _due(self) -> bool:
        rested = not self.looked or self.guard.desk.now - self.looked >= 60
        return self.wanted and not self.over and self.fresh and rested

    def _allowed(self) -> bool:
        now = self.guard.desk.now
        spent = sum(COST for at in self.made if at > now - YEAR)
        return (
            self.consent == "active"
            and now < self.expires_at
            and len(self.made) < USES
            and (not self.made or now - self.made[-1] >= 28 * DAY_SECONDS)
            and spent + COST <= self.limit
        )

    @invariant()
    def charged_for_what_was_made_and_nothing_leaves_without_consent(self) -> None:
        if not hasattr(self, "looked"):
            return
        now = self.guard.desk.now
        assert self.guard.desk.spent(ENTERPRISE, BANK) == sum(COST for at in self.made if at > now - YEAR)
        taken = checks.take_alerts(self.guard.desk.connection, 0)
        assert len(taken) in ((len(self.made),) if self.consent == "active" and self.wanted else (0, len(self.made)))
        assert self.consent == "active" or not taken


def _power_cut(*_: object) -> None:
    raise PowerCut


TestWatchMachine = WatchMachine.TestCase
TestWatchMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
