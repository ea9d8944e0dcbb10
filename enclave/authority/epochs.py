"""Epoch keys of the masks: 32 bytes, sealed in the store, destroyed on rotation."""

import sqlite3
from typing import Final

from enclave.authority.store import transaction
from enclave.environment import EnclaveEnvironmentError, Environment, LockedBytes

_LABEL: Final = "mask epoch key"


def current_epoch(connection: sqlite3.Connection, environment: Environment) -> tuple[int, LockedBytes]:
    """The epoch in force and its key; the first is made on the first start."""
    with transaction(connection, "first epoch"):
        row = connection.execute("SELECT epoch, sealed FROM epoch ORDER BY epoch DESC LIMIT 1").fetchone()
        if row is None:
            row = (1, environment.seal(f"{_LABEL} 1", environment.random_bytes(32)))
            connection.execute("INSERT INTO epoch VALUES (?, ?)", row)
    return row[0], environment.unseal(f"{_LABEL} {row[0]}", row[1])


def rotate_epoch(connection: sqlite3.Connection, environment: Environment) -> int:
    """A new key; the old one is destroyed. Answers are stored, so no repeat ever needs it again."""
    with transaction(connection, "rotate epoch"):
        (last,) = connection.execute("SELECT max(epoch) FROM epoch").fetchone()
        epoch = (last or 0) + 1
        connection.execute("DELETE FROM epoch")
        sealed = environment.seal(f"{_LABEL} {epoch}", environment.random_bytes(32))
        connection.execute("INSERT INTO epoch VALUES (?, ?)", (epoch, sealed))
    # Freed pages may hold the sealed key until they are rewritten.
    connection.execute("VACUUM")
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise EnclaveEnvironmentError(
            "the new key is in force, but a reader of the database keeps the old one on disk; stop it and rotate again"
        )
    return epoch
