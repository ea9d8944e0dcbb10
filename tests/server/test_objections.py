"""What the platform keeps of objections, and who looked: on SQLite and PostgreSQL."""

import pytest

from server.db import Database
from server.objections import service
from server.objections.errors import OperatorUnnamed

NOW, DAY = 1_790_000_000, 86_400


def row(name: str, state: str, decide_by: int, decided_at: int = 0, change: int = 1) -> dict[str, object]:
    return {
        "objection_id": name,
        "enterprise": "914403001922038216",
        "state": state,
        "opened_at": NOW - 30 * DAY,
        "transferred_at": 0,
        "decide_by": decide_by,
        "cap_at": decide_by + 10 * DAY,
        "decided_at": decided_at,
        "change": change,
    }


def test_the_operator_sees_numbers_and_what_is_late_and_the_look_is_recorded(database: Database) -> None:
    with database.transaction("note") as session:
        service.note_progress(
            session,
            "enclave-a",
            [
                row("a" * 32, "marked", NOW + DAY, change=1),
                row("b" * 32, "transferred", NOW - DAY, change=2),
                row("c" * 32, "marked", NOW - 11 * DAY, change=3),
                row("d" * 32, "marked", NOW, change=4),
                row("e" * 32, "decided", NOW - DAY, NOW, change=5),
            ],
        )
        service.note_progress(session, "enclave-a", [row("d" * 32, "decided", NOW, NOW - DAY, change=6)])
        assert service.last_change(session, "enclave-a") == 6 and service.last_change(session, "enclave-b") == 0
    with database.transaction("look") as session:
        found = service.overview(session, " 王五 ", NOW)
    assert found.counts == {"marked": 1, "escalated": 1, "unverified": 1, "decided": 2}
    assert (found.decided_in_time, found.decided_late) == (1, 1)
    assert [one.objection_id[0] for one in found.late] == ["c", "b"]
    with database.reading() as session:
        (look,) = service.looks(session, 10)
    assert (look.operator, look.what, look.at) == ("王五", "overview", NOW)


def test_nobody_looks_without_a_name(database: Database) -> None:
    with pytest.raises(OperatorUnnamed), database.transaction("look") as session:
        service.overview(session, "  ", NOW)
