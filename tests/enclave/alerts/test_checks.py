"""Watches and their checks, in the enclave: what an alert may tell, what it costs, and when there is none."""

from typing import Any

import pytest
from xinyidai.alerts.documents import Alert, WatchOrder
from xinyidai.alerts.rules import Level, risk_rules
from xinyidai.authorization import Disclosure
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.statements import Action

from enclave.alerts import checks, watches
from enclave.authority.store import _open
from tests.support.authority import (
    BANK,
    ENTERPRISE,
    OTHER_BANK,
    Desk,
    refused,
    stamp,
)
from tests.support.guard import READER, RISKY, Guard
from tests.support.listing import CATALOGUE
from tests.support.town import GOOD

RULES = risk_rules(CATALOGUE)


@pytest.fixture
def guard(desk: Desk) -> Guard:
    return Guard(desk)


def test_one_alert_a_snapshot_charged_alike_whatever_it_says(guard: Guard) -> None:
    digest = guard.grant()
    guard.watch(digest)
    cost = RULES.centibits([c.code for c in CATALOGUE.categories], Disclosure.BY_CATEGORY)
    assert (guard.check(), guard.check()) == (1, 0)
    guard.load(dict(GOOD))
    guard.desk.now += 28 * DAY_SECONDS
    assert guard.check() == 1
    risky, calm = guard.taken()
    assert (risky.level, risky.rules) == (Level.RED, ("dishonest_debtor", "power_bills_late"))
    assert (calm.level, calm.rules, calm.number) == (Level.NONE, (), 2)
    assert risky.centibits == calm.centibits == cost and guard.desk.spent(ENTERPRISE, BANK) == 2 * cost
    sealed = [entry.sealed for entry in checks.take_alerts(guard.desk.connection, 0)]
    assert len({len(one) for one in sealed}) == 1


def test_only_the_categories_that_were_granted_are_looked_at(guard: Guard) -> None:
    digest = guard.grant(categories=("electricity_usage",))
    guard.watch(digest)
    guard.check()
    (found,) = guard.taken()
    assert (found.level, found.rules) == (Level.BLUE, ("power_bills_late",))
    assert guard.desk.spent(ENTERPRISE) == found.centibits == 200  # two rules: four sets


def test_a_watch_rests_on_what_was_signed_for_it(guard: Guard) -> None:
    for changes in (
        {"purpose": "loan_origination", "expires_at": guard.desk.now + DAY_SECONDS, "term_end": None},
        {"categories": ("gas_usage",)},
        {"disclosure": Disclosure.TOTAL, "precision_points": 255},
    ):
        digest = guard.grant(**changes)
        assert refused(guard.watch, digest) is Reason.AUTHORIZATION_SCOPE
    digest = guard.grant()
    assert refused(guard.watch, digest, bank=OTHER_BANK) is Reason.AUTHORIZATION_SCOPE
    assert refused(guard.watch, "0" * 64) is Reason.AUTHORIZATION_UNKNOWN
    assert refused(guard.watch, digest, ends=True) is Reason.WATCH_UNKNOWN
    forged = WatchOrder(stamp(BANK.bank_id, guard.desk.now), ENTERPRISE.uscc, digest, READER.public)
    desk = guard.desk
    answer = refused(watches.set_watch, desk.connection, desk.trust, forged.sign(OTHER_BANK.key), desk.now)
    assert answer is Reason.CERTIFICATE_INVALID


def test_a_replayed_order_is_refused_and_one_held_back_undoes_nothing(guard: Guard) -> None:
    digest = guard.grant()
    desk, first, held = guard.desk, guard.order(digest), guard.order(digest)
    watches.set_watch(desk.connection, desk.trust, first, desk.now)
    assert refused(watches.set_watch, desk.connection, desk.trust, first, desk.now) is Reason.NONCE_SPENT
    desk.now += 10
    assert guard.watch(digest, ends=True).state == "ended"
    late = refused(watches.set_watch, desk.connection, desk.trust, held, desk.now)
    assert late is Reason.STATEMENT_SUPERSEDED and guard.check() == 0


def test_ending_and_starting_a_watch_forces_no_further_check(guard: Guard) -> None:
    digest = guard.grant()
    guard.watch(digest)
    assert guard.check() == 1
    for _ in range(3):
        guard.desk.now += 10
        guard.watch(digest, ends=True)
        guard.load(dict(RISKY))
        guard.desk.now += 10
        guard.watch(digest)
        assert guard.check() == 0 and guard.status().reason == Reason.PURPOSE_LIMIT
    assert len(guard.taken()) == 1


def test_revoked_or_paused_nothing_is_made_and_nothing_made_before_leaves(guard: Guard) -> None:
    digest = guard.grant()
    guard.watch(digest)
    guard.check()
    guard.desk.state(ENTERPRISE, Action.PAUSE, digest)
    assert guard.taken() == []
    guard.load(dict(RISKY))
    guard.desk.now += 30 * DAY_SECONDS
    assert guard.check() == 0 and guard.status().reason == Reason.AUTHORIZATION_PAUSED
    guard.desk.state(ENTERPRISE, Action.RESUME, digest)
    guard.desk.now += 60
    assert guard.check() == 1 and guard.status().state == "active"
    guard.desk.now += 1
    guard.desk.state(ENTERPRISE, Action.REVOKE, digest)
    guard.load(dict(RISKY))
    guard.desk.now += 30 * DAY_SECONDS
    assert guard.check() == 0 and guard.taken() == []
    assert (guard.status().state, guard.status().reason) == ("ended", Reason.AUTHORIZATION_REVOKED)


def test_budgets_and_uses_bound_the_checks(guard: Guard) -> None:
    digest = guard.grant(max_assessments=1)
    guard.watch(digest)
    guard.desk.state(ENTERPRISE, Action.SET_BUDGET, centibits=100)
    assert guard.check() == 0
    assert (guard.status().state, guard.status().reason) == ("suspended", Reason.BUDGET_TOTAL_EXHAUSTED)
    guard.desk.now += 61
    guard.desk.state(ENTERPRISE, Action.SET_BUDGET, centibits=10_000)
    assert guard.check() == 1
    guard.load(dict(RISKY))
    guard.desk.now += 30 * DAY_SECONDS
    assert guard.check() == 0
    assert (guard.status().state, guard.status().reason) == ("ended", Reason.AUTHORIZATION_USED_UP)


def test_an_alert_uses_up_an_assessment(guard: Guard) -> None:
    digest = guard.grant(max_assessments=1, disclosure=Disclosure.TOTAL, precision_points=0)
    guard.watch(digest)
    assert guard.check() == 1
    outcome = guard.desk.ask(BANK, guard.desk.register(BANK), digest)
    assert getattr(outcome, "reason", None) is Reason.AUTHORIZATION_USED_UP


def test_a_crash_makes_neither_an_alert_nor_a_charge(guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(Exception):
        pass

    def dies(*_: Any) -> str:
        raise PowerCut

    digest = guard.grant()
    guard.watch(digest)
    with monkeypatch.context() as broken:
        broken.setattr(Alert, "seal", dies)
        with pytest.raises(PowerCut):
            guard.check()
    path = guard.desk.connection.execute("PRAGMA database_list").fetchone()[2]
    guard.desk.connection.close()
    guard.desk.connection = _open(path)
    assert guard.taken() == [] and guard.desk.spent(ENTERPRISE) == 0
    assert guard.check() == 1
