"""The store that every durable change goes through: works that wait together share one write to disk, nothing else."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from enclave.authority.store import Store, transaction


class Undone(Exception):
    pass


def note(connection: sqlite3.Connection, number: int, *, fail: bool = False) -> int:
    with transaction(connection, "note"):
        connection.execute("INSERT INTO spent_nonce VALUES ('signer', ?, ?)", (f"{number}", number))
        if fail:
            raise Undone(f"{number}")
    return number


def noted(connection: sqlite3.Connection) -> list[int]:
    return [int(row[0]) for row in connection.execute("SELECT nonce FROM spent_nonce ORDER BY keep_until")]


def on_disk(path: Path) -> list[int]:
    with sqlite3.connect(path) as reader:
        found = noted(reader)
    reader.close()
    return found


class Commits:
    """Counts what SQLite writes to disk by its own change counter of commits."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.count = 0
        connection.set_trace_callback(self._see)

    def _see(self, statement: str) -> None:
        self.count += statement == "COMMIT"


def test_works_that_wait_together_are_committed_together_and_in_order(tmp_path: Path) -> None:
    async def main() -> int:
        store = Store(tmp_path / "authority.sqlite")
        commits = await store.run(Commits)
        assert await asyncio.gather(*(store.run(note, number) for number in range(100))) == list(range(100))
        store.close()
        return commits.count

    assert asyncio.run(main()) <= 10
    assert on_disk(tmp_path / "authority.sqlite") == list(range(100))


def test_a_work_that_fails_is_undone_alone(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path / "authority.sqlite")
        found = await asyncio.gather(
            *(store.run(note, number, fail=number % 3 == 0) for number in range(30)), return_exceptions=True
        )
        assert [isinstance(one, Undone) for one in found] == [number % 3 == 0 for number in range(30)]
        store.close()

    asyncio.run(main())
    assert on_disk(tmp_path / "authority.sqlite") == [number for number in range(30) if number % 3]


def test_each_sees_what_the_one_before_did(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path / "authority.sqlite")
        works = [work for number in range(20) for work in (store.run(note, number), store.run(noted))]
        found = await asyncio.gather(*works)
        assert found[1::2] == [list(range(number + 1)) for number in range(20)]
        store.close()

    asyncio.run(main())


def test_nobody_hears_of_a_group_that_did_not_reach_the_disk(tmp_path: Path) -> None:
    """The disk fills up while works wait together: all of them fail, and none happened."""

    def fill(connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def big(connection: sqlite3.Connection, number: int) -> int:
        with transaction(connection, "big"):
            connection.execute("INSERT INTO spent_nonce VALUES (?, ?, 0)", ("x" * 20_000, f"{number}"))
        return number

    async def main() -> None:
        store = Store(tmp_path / "authority.sqlite")
        await store.run(note, 1)
        await store.run(fill)
        found = await asyncio.gather(*(store.run(big, number) for number in range(2, 50)), return_exceptions=True)
        assert all(isinstance(one, sqlite3.OperationalError) for one in found)
        assert await store.run(noted) == [1]
        store.close()

    asyncio.run(main())
    assert on_disk(tmp_path / "authority.sqlite") == [1]


def test_a_caller_that_gave_up_before_its_turn_is_passed_over(tmp_path: Path) -> None:
    async def main() -> None:
        store = Store(tmp_path / "authority.sqlite")
        tasks = [asyncio.create_task(store.run(note, number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[-1].cancel()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        assert found[:3] == [0, 1, 2]
        with pytest.raises(asyncio.CancelledError):
            await tasks[-1]
        store.close()

    asyncio.run(main())
    assert set(on_disk(tmp_path / "authority.sqlite")) >= {0, 1, 2}
