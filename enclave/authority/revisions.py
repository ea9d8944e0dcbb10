"""Rows that objections changed since a snapshot was made: which enterprises', and their cells until the next snapshot.

Every change of what is left out (an objection, its withdrawal, a decision, a notice of repair) has a number. A snapshot
says up to which number it accounts for changes. Whoever is charged for an assessment gets a row that accounts for every
change committed before the charge, or no answer: the check is made inside the transaction that charges.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from enclave.environment import Environment

_BATCH: Final = 100


class RowsOutdated(Exception):
    """The rows of these enterprises have to be computed anew first; nothing was charged."""

    def __init__(self, enterprises: Sequence[str]) -> None:
        super().__init__(f"{len(enterprises)} row(s) have to be computed anew")
        self.enterprises = tuple(enterprises)


@dataclass(frozen=True, slots=True)
class Row:
    revision: str
    """Random; empty for an enterprise that nothing was ever left out of."""
    cells: bytes | None
    """uint16 in the machine's order, one a feature; None: as the snapshot has them."""


def next_change(connection: sqlite3.Connection) -> int:
    """Inside a transaction: a number above that of every change so far."""
    (last,) = connection.execute(
        "SELECT max((SELECT coalesce(max(change), 0) FROM row_state), (SELECT coalesce(max(change), 0) FROM dispute))"
    ).fetchone()
    return int(last) + 1


def note_change(connection: sqlite3.Connection, environment: Environment, enterprise: str, change: int) -> None:
    """What is left out of an enterprise's row is another from here on. Inside the transaction that makes it so.

    Noted for every objection, also one to a record that does not exist: the new revision must not tell.
    """
    connection.execute(
        "INSERT INTO row_state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET change = excluded.change,"
        " revision = excluded.revision",
        (enterprise, change, environment.random_bytes(16).hex()),
    )


def row_in_force(connection: sqlite3.Connection, enterprise: str, snapshot: str, accounted: int) -> Row:
    """Raises `RowsOutdated` when it has to be computed first. `accounted`: the last change the snapshot knows of."""
    state = connection.execute("SELECT change, revision FROM row_state WHERE enterprise = ?", (enterprise,)).fetchone()
    if state is None:
        return Row("", None)
    change, revision = state
    if change <= accounted:
        return Row(revision, None)
    made = connection.execute(
        "SELECT cells FROM overlay WHERE enterprise = ? AND snapshot = ? AND change = ?", (enterprise, snapshot, change)
    ).fetchone()
    if made is None:
        raise RowsOutdated([enterprise])
    return Row(revision, made[0])


def change_of(connection: sqlite3.Connection, enterprise: str) -> int:
    """Number of the last change of an enterprise's row; 0: none."""
    row = connection.execute("SELECT change FROM row_state WHERE enterprise = ?", (enterprise,)).fetchone()
    return 0 if row is None else int(row[0])


def last_change(connection: sqlite3.Connection) -> int:
    """Number of the last change of any row: what a snapshot made of the present state accounts for."""
    (last,) = connection.execute("SELECT coalesce(max(change), 0) FROM row_state").fetchone()
    return int(last)


def outdated(connection: sqlite3.Connection, snapshot: str, accounted: int) -> list[str]:
    """Enterprises whose rows have to be computed anew for a snapshot, a batch of them."""
    rows = connection.execute(
        "SELECT enterprise FROM row_state WHERE change > ? AND NOT EXISTS (SELECT 1 FROM overlay WHERE"
        " overlay.enterprise = row_state.enterprise AND snapshot = ? AND overlay.change = row_state.change)"
        " ORDER BY change LIMIT ?",
        (accounted, snapshot, _BATCH),
    )
    return [enterprise for (enterprise,) in rows]


def keep_row(connection: sqlite3.Connection, enterprise: str, snapshot: str, change: int, cells: bytes) -> None:
    """Keep a row computed for the state after `change`; one that was overtaken meanwhile is never used."""
    connection.execute(
        "INSERT INTO overlay VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET snapshot = excluded.snapshot,"
        " change = excluded.change, cells = excluded.cells",
        (enterprise, snapshot, change, cells),
    )


def drop_rows(connection: sqlite3.Connection, snapshot: str, accounted: int) -> None:
    """Rows that a snapshot in force accounts for itself are not needed any more."""
    connection.execute("DELETE FROM overlay WHERE change <= ? AND snapshot <> ?", (accounted, snapshot))
