"""The log in the authority's database: entries are appended in the transaction that makes what they commit to, so
neither exists without the other. The hash of every perfect subtree is kept: a proof reads O(log n) of them.

The enclave seals the log by signing a checkpoint. It seals nothing that does not extend what it sealed before.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from xinyidai.merkle import Range, consistency_ranges, fold, inclusion_ranges, leaf_hash, node_hash, range_parts
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.transparency import SALT_BYTES, Checkpoint, Inclusion, commitment

from enclave.authority.store import transaction
from enclave.authority.trust import Trust
from enclave.environment import EnclaveEnvironmentError, Environment
from enclave.errors import Refused

MAX_LEAVES: Final = 4_096
"""Of one page."""
_RESEAL_SHARE: Final = 3
"""A log that does not grow is sealed anew after this share of the limit: a silent log is a stopped one."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The last checkpoint."""

    size: int
    root: bytes
    sealed_at: int
    token: str


def size_of(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT coalesce(max(position) + 1, 0) FROM log_entry").fetchone()
    return int(size)


def append(connection: sqlite3.Connection, subject: str, document: str, salt: bytes) -> None:
    """Append the commitment to a signed document, inside the caller's transaction. `subject` finds it again."""
    position = size_of(connection)
    connection.execute("INSERT INTO log_entry VALUES (?, ?, ?)", (position, subject, salt))
    level, at, carry = 0, position, leaf_hash(commitment(document, salt))
    nodes = [(level, at, carry)]
    while at & 1:
        carry = node_hash(_node(connection, level, at - 1), carry)
        level, at = level + 1, at >> 1
        nodes.append((level, at, carry))
    connection.executemany("INSERT INTO log_node VALUES (?, ?, ?)", nodes)


def backfill(connection: sqlite3.Connection, environment: Environment) -> None:
    """Receipts older than the log, once, before its first seal."""
    with transaction(connection, "log the receipts of before"):
        if last_seal(connection) is not None or size_of(connection):
            return
        rows = connection.execute(
            "SELECT assessment_id, receipt FROM assessment WHERE receipt IS NOT NULL ORDER BY sequence"
        ).fetchall()
        for assessment_id, receipt in rows:
            append(connection, assessment_id, receipt, environment.random_bytes(SALT_BYTES))


def last_seal(connection: sqlite3.Connection) -> Seal | None:
    row = connection.execute("SELECT size, root, sealed_at, token FROM log_seal").fetchone()
    return Seal(*row) if row else None


def seal(connection: sqlite3.Connection, trust: Trust, now: int) -> Seal:
    """Sign a checkpoint, if the log has grown or the last one is old; returns the one in force.

    Raises `EnclaveEnvironmentError` when the log does not extend what was sealed: then nothing is signed.
    """
    with transaction(connection, "seal the log"):
        last, size = last_seal(connection), size_of(connection)
        if last is not None:
            if size < last.size or range_hash(connection, (0, last.size)) != last.root:
                raise EnclaveEnvironmentError(
                    "the log does not extend its last checkpoint; stop, keep the database as evidence, and restore it"
                )
            if size == last.size and 0 <= now - last.sealed_at < trust.seal_limit_seconds / _RESEAL_SHARE:
                return last
        checkpoint = Checkpoint(trust.enclave_id, size, range_hash(connection, (0, size)), now)
        made = Seal(size, checkpoint.root, now, checkpoint.sign(trust.receipt_key))
        connection.execute(
            "INSERT INTO log_seal VALUES (1, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET size = excluded.size,"
            " root = excluded.root, sealed_at = excluded.sealed_at, token = excluded.token",
            (made.size, made.root, made.sealed_at, made.token),
        )
    return made


def check_sealed(connection: sqlite3.Connection, trust: Trust, now: int) -> None:
    """Raises `Refused` when the last seal is too old for another assessment. Call inside the transaction that charges.

    Revocations and every other statement go through all the same.
    """
    last = last_seal(connection)
    if last is None or not -MAX_SKEW_SECONDS <= now - last.sealed_at <= trust.seal_limit_seconds:
        raise Refused(Reason.LOG_UNSEALED, "the log of uses is not being sealed; nothing is assessed until it is")


def range_hash(connection: sqlite3.Connection, leaves: Range) -> bytes:
    """The root over a range of leaves, from stored subtrees."""
    return fold([_node(connection, level, position) for level, position in range_parts(leaves)])


class Prover:
    """Proofs for one tree size. Subtrees near the root, which proofs share, are read once."""

    def __init__(self, connection: sqlite3.Connection, size: int) -> None:
        """Raises `Refused` for a size the enclave has not sealed."""
        last = last_seal(connection)
        if last is None or not 0 <= size <= last.size:
            raise Refused(Reason.REQUEST_INVALID, "ask for a size up to that of the latest checkpoint")
        self._connection = connection
        self.size = size
        self._hash = lru_cache(maxsize=4096)(lambda leaves: range_hash(connection, leaves))

    def inclusion(self, subject: str) -> Inclusion | None:
        """None while the entry is not within this size."""
        row = self._connection.execute("SELECT position, salt FROM log_entry WHERE subject = ?", (subject,)).fetchone()
        if row is None or row[0] >= self.size:
            return None
        return Inclusion(row[1], row[0], self._hashes(inclusion_ranges(row[0], self.size)))

    def consistency(self, old: int) -> tuple[bytes, ...]:
        """Raises `Refused`."""
        if not 0 <= old <= self.size:
            raise Refused(Reason.REQUEST_INVALID, "the older size is the smaller one")
        return self._hashes(consistency_ranges(old, self.size))

    def _hashes(self, ranges: Sequence[Range]) -> tuple[bytes, ...]:
        return tuple(self._hash(leaves) for leaves in ranges)


def leaves_of(connection: sqlite3.Connection, first: int, count: int) -> list[bytes]:
    """Hashes of sealed entries, at most `MAX_LEAVES`; they say nothing of what was committed to. Raises `Refused`."""
    last = last_seal(connection)
    if first < 0 or not 1 <= count <= MAX_LEAVES:
        raise Refused(Reason.REQUEST_INVALID, f"first is 0 or more, count 1 to {MAX_LEAVES}")
    rows = connection.execute(
        "SELECT hash FROM log_node WHERE level = 0 AND position >= ? AND position < ? ORDER BY position",
        (first, min(first + count, last.size if last else 0)),
    )
    return [leaf for (leaf,) in rows]


def _node(connection: sqlite3.Connection, level: int, position: int) -> bytes:
    row = connection.execute("SELECT hash FROM log_node WHERE level = ? AND position = ?", (level, position)).fetchone()
    if row is None:
        raise EnclaveEnvironmentError("a part of the log is missing from the database; restore it")
    return bytes(row[0])
