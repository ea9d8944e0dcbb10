"""Lists and alerts as the platform keeps them, on SQLite and on PostgreSQL: opaque, newest only, carried in order."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlmodel import Session
from xinyidai.demands import DemandAction

from server.alerts.service import TakenAlert, acknowledge, cursor_of, keep_alerts, unacknowledged
from server.authorizations.models import State
from server.authorizations.service import keep_authorization, note_state
from server.banks.service import Registration, register_bank, remove_bank
from server.db import Database
from server.whitelist.errors import ListNotReady, NotSubscribed
from server.whitelist.service import (
    StoredList,
    arrived,
    carry_demand,
    due_banks,
    keep_list,
    newest_list,
    note_opt_in,
    note_subscription,
    take_due,
    waiting_demands,
)
from tests.support.authority import BANK, ENTERPRISE, USCC
from tests.support.market import Market

NOW = 1_790_000_000
ENCLAVE = "e-1"


def made(version: int, expires_at: int = NOW + 600) -> StoredList:
    return StoredList(version, (f"sealed {version}",), NOW, expires_at)


class Platform:
    """Each call one transaction."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def __call__(self, work: Any, *arguments: Any) -> Any:
        with self.database.transaction(work.__name__) as session:
            return work(session, *arguments)

    def bank(self, name: str = "bank-a") -> None:
        self(register_bank, Registration(BANK.bank_id if name == "bank-a" else name, name, name, name), NOW)  # type: ignore[arg-type]
        self(note_subscription, name, ENCLAVE, True)


@pytest.fixture
def platform(database: Database) -> Platform:
    found = Platform(database)
    found.bank()
    return found


def test_the_newest_list_is_shown_until_it_runs_out(platform: Platform) -> None:
    with pytest.raises(NotSubscribed):
        platform(newest_list, "bank-b", NOW)
    with pytest.raises(ListNotReady):
        platform(newest_list, "bank-a", NOW)
    platform(keep_list, "bank-a", ENCLAVE, made(2))
    platform(keep_list, "bank-a", ENCLAVE, made(1))
    assert platform(newest_list, "bank-a", NOW) == made(2)
    with pytest.raises(ListNotReady):
        platform(newest_list, "bank-a", NOW + 600)
    platform(note_subscription, "bank-a", ENCLAVE, False)
    with pytest.raises(NotSubscribed):
        platform(newest_list, "bank-a", NOW)


def test_an_opt_out_takes_every_list_away_and_a_late_older_one_does_not_return(platform: Platform) -> None:
    platform(keep_list, "bank-a", ENCLAVE, made(3))
    platform(note_opt_in, USCC, ENCLAVE, False, NOW)
    with pytest.raises(ListNotReady):
        platform(newest_list, "bank-a", NOW)
    platform(keep_list, "bank-a", ENCLAVE, made(3))
    with pytest.raises(ListNotReady):
        platform(newest_list, "bank-a", NOW)
    platform(keep_list, "bank-a", ENCLAVE, made(4))
    assert platform(newest_list, "bank-a", NOW).version == 4


def test_a_list_is_due_when_something_changed_or_it_is_old(platform: Platform) -> None:
    assert platform(due_banks, ENCLAVE, 0) == ["bank-a"]
    platform(take_due, "bank-a", ENCLAVE)
    platform(keep_list, "bank-a", ENCLAVE, made(1))
    assert platform(due_banks, ENCLAVE, NOW - 1) == []
    assert platform(due_banks, ENCLAVE, NOW) == ["bank-a"]
    platform(note_opt_in, USCC, ENCLAVE, True, NOW)
    assert platform(due_banks, ENCLAVE, 0) == ["bank-a"]
    platform(remove_bank, "bank-a")
    assert platform(due_banks, ENCLAVE, NOW) == []


def test_only_demands_of_the_listed_are_carried_once_and_in_order(platform: Platform) -> None:
    platform(carry_demand, USCC, DemandAction.POST, "before")
    assert platform(waiting_demands, ENCLAVE, 10) == []
    platform(note_opt_in, USCC, ENCLAVE, True, NOW)
    for action, raw in (
        (DemandAction.POST, "post"), (DemandAction.READ, "read"), (DemandAction.CHOOSE, "choose"),
        (DemandAction.WITHDRAW, "withdraw"),
    ):  # fmt: skip
        platform(carry_demand, USCC, action, raw)
    waiting = platform(waiting_demands, ENCLAVE, 10)
    assert [entry.document for entry in waiting] == ["post", "withdraw"]
    platform(take_due, "bank-a", ENCLAVE)
    platform(arrived, ENCLAVE, waiting[0].number)
    assert [entry.document for entry in platform(waiting_demands, ENCLAVE, 10)] == ["withdraw"]
    assert platform(due_banks, ENCLAVE, 0) == ["bank-a"]
    platform(note_opt_in, USCC, ENCLAVE, False, NOW)
    platform(carry_demand, USCC, DemandAction.POST, "after")
    assert len(platform(waiting_demands, ENCLAVE, 10)) == 1


def test_an_opt_in_brings_the_open_demands_along(platform: Platform) -> None:
    market = Market(platform.database, now=NOW)
    first, second = market.post(1), market.post(1)
    market.withdraw(first)
    market.post(2)
    enterprise = market.demand(second).enterprise
    platform(note_opt_in, enterprise, ENCLAVE, True, NOW)
    assert len(platform(waiting_demands, ENCLAVE, 10)) == 1


def test_a_carried_document_is_lost_with_its_transaction_only(platform: Platform) -> None:
    platform(note_opt_in, USCC, ENCLAVE, True, NOW)
    with pytest.raises(RuntimeError), platform.database.transaction("half done") as session:
        carry_demand(session, USCC, DemandAction.POST, "lost")
        raise RuntimeError("power cut")
    assert platform(waiting_demands, ENCLAVE, 10) == []


def test_of_lists_that_come_at_once_the_newest_stays(platform: Platform) -> None:
    for start in (0, 10, 20):
        barrier = threading.Barrier(4)

        def keep(version: int, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            platform(keep_list, "bank-a", ENCLAVE, made(version))

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(keep, range(start + 1, start + 5)))
        assert platform(newest_list, "bank-a", NOW).version == start + 4


def alert(number: int, bank: str = "bank-a", authorization: str = "0" * 64) -> TakenAlert:
    return TakenAlert(f"{number:032x}", bank, authorization, f"sealed {number}", NOW + number)


def waiting(platform: Platform, bank: str = "bank-a") -> list[str]:
    return [entry.sealed for entry in platform(unacknowledged, bank)]


def test_alerts_wait_until_their_bank_has_them(platform: Platform) -> None:
    platform(keep_alerts, ENCLAVE, [alert(2), alert(1), alert(3, "bank-b")], 3)
    platform(keep_alerts, ENCLAVE, [alert(1)], 2)
    assert platform(cursor_of, ENCLAVE) == 3 and platform(cursor_of, "e-2") == 0
    assert waiting(platform) == ["sealed 1", "sealed 2"]
    platform(acknowledge, "bank-b", [alert(1).alert_id], NOW)
    platform(acknowledge, "bank-a", [alert(2).alert_id, "unknown"], NOW)
    assert waiting(platform) == ["sealed 1"] and waiting(platform, "bank-b") == ["sealed 3"]


def test_nothing_waits_under_an_authorization_that_was_stopped(platform: Platform) -> None:
    token = ENTERPRISE.terms(BANK, NOW).sign(ENTERPRISE.key)

    def keep(session: Session) -> str:
        return keep_authorization(session, token, ENTERPRISE.terms(BANK, NOW), State.ACTIVE, NOW)

    digest = platform(keep)
    platform(keep_alerts, ENCLAVE, [alert(1, authorization=digest)], 1)
    for state, shown in ((State.PAUSED, 0), (State.ACTIVE, 1), (State.REVOKED, 0)):
        platform(note_state, digest, ENTERPRISE.uscc, state)
        assert len(waiting(platform)) == shown
