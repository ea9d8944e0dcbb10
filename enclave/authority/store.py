"""The authority's database: SQLite, write-ahead log, every commit synced to disk before anything is answered."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Final, NamedTuple, ParamSpec, TypeVar

from enclave.authority.schema import LIFE_CYCLE, OUTREACH, TRANSPARENCY
from enclave.environment import EnclaveEnvironmentError

P = ParamSpec("P")
T = TypeVar("T")

_SCHEMA: Final = """
CREATE TABLE enterprise_key (
    enterprise TEXT PRIMARY KEY, pem BLOB NOT NULL, thumbprint TEXT NOT NULL, registered_at INTEGER NOT NULL
) STRICT;
CREATE TABLE spent_nonce (
    signer TEXT NOT NULL, nonce TEXT NOT NULL, keep_until INTEGER NOT NULL, PRIMARY KEY (signer, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_nonce_by_time ON spent_nonce (keep_until);
CREATE TABLE forgotten_nonces (only INTEGER PRIMARY KEY CHECK (only = 1), until INTEGER NOT NULL) STRICT;
CREATE TABLE revoked_unseen (
    enterprise TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (enterprise, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE statement_time (
    enterprise TEXT NOT NULL, about TEXT NOT NULL, issued_at INTEGER NOT NULL, PRIMARY KEY (enterprise, about)
) STRICT, WITHOUT ROWID;
CREATE TABLE authorization (
    digest TEXT PRIMARY KEY, token TEXT NOT NULL, enterprise TEXT NOT NULL, authorization_id TEXT NOT NULL,
    bank TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('active', 'paused', 'revoked')),
    expires_at INTEGER NOT NULL, submitted_at INTEGER NOT NULL, UNIQUE (enterprise, authorization_id)
) STRICT;
CREATE TABLE model (
    model_id TEXT PRIMARY KEY, bank TEXT NOT NULL, parameter_set TEXT NOT NULL, catalogue_digest TEXT NOT NULL,
    weights BLOB NOT NULL, zero BLOB NOT NULL, registered_at INTEGER NOT NULL, receipt TEXT NOT NULL
) STRICT;
CREATE TABLE seed (bank TEXT NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (bank, digest)) STRICT, WITHOUT ROWID;
CREATE TABLE budget (
    enterprise TEXT NOT NULL, bank TEXT NOT NULL, centibits INTEGER NOT NULL CHECK (centibits >= 0),
    PRIMARY KEY (enterprise, bank)
) STRICT, WITHOUT ROWID;
CREATE TABLE epoch (epoch INTEGER PRIMARY KEY, sealed BLOB NOT NULL) STRICT;
CREATE TABLE assessment (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, assessment_id TEXT NOT NULL UNIQUE, enterprise TEXT NOT NULL,
    bank TEXT NOT NULL, authorization TEXT NOT NULL REFERENCES authorization (digest),
    model_id TEXT NOT NULL REFERENCES model (model_id), disclosure TEXT NOT NULL, precision_points INTEGER NOT NULL,
    purpose TEXT NOT NULL, centibits INTEGER NOT NULL CHECK (centibits > 0), charged_at INTEGER NOT NULL,
    snapshot TEXT NOT NULL, epoch INTEGER NOT NULL, request TEXT NOT NULL, receipt TEXT,
    repeats INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX assessment_by_question
    ON assessment (authorization, model_id, disclosure, precision_points, sequence);
CREATE INDEX assessment_by_enterprise ON assessment (enterprise, bank, charged_at);
CREATE TABLE answer (
    assessment_id TEXT NOT NULL REFERENCES assessment (assessment_id), category TEXT NOT NULL, frame BLOB NOT NULL,
    PRIMARY KEY (assessment_id, category)
) STRICT, WITHOUT ROWID;
"""
_SECOND: Final = """
CREATE TABLE sealed_secret (name TEXT PRIMARY KEY, sealed BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE dispute (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, enterprise TEXT NOT NULL, sealed BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed', 'withdrawn')),
    opened_at INTEGER NOT NULL, decided_at INTEGER
) STRICT;
CREATE INDEX dispute_by_enterprise ON dispute (enterprise);
"""
_STEPS: Final = (_SCHEMA, _SECOND, LIFE_CYCLE, OUTREACH, TRANSPARENCY)
"""Step n brings schema n to n + 1; steps are added and never changed."""
SCHEMA_VERSION: Final = len(_STEPS)


class _Statements(NamedTuple):
    begin: str
    keep: str
    undo: tuple[str, ...]


_TRANSACTION: Final = _Statements("BEGIN IMMEDIATE", "COMMIT", ("ROLLBACK",))
_SAVEPOINT: Final = _Statements("SAVEPOINT work", "RELEASE work", ("ROLLBACK TO work", "RELEASE work"))


@contextmanager
def transaction(connection: sqlite3.Connection, name: str) -> Iterator[None]:
    """A named write transaction: all of it happens, or none of it. It is on disk when whoever asked for the work hears
    of it: at the end of the block, or of the group of works that `Store` commits together.

    `name` says in a stack trace or profile which change of state this is.
    """
    grouped = connection.in_transaction
    begin, keep, undo = _SAVEPOINT if grouped else _TRANSACTION
    connection.execute(begin)
    try:
        yield
        connection.execute(keep)
    except BaseException as error:
        # A full disk makes the database roll back by itself, the whole group if there is one.
        if connection.in_transaction:
            for statement in undo:
                connection.execute(statement)
        error.add_note(f"rolled back: {name}")
        raise


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    call: Callable[[], Any]
    future: "Future[Any]"

    def do(self) -> None:
        try:
            found = self.call()
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(found)


class Store:
    """One connection, used by one thread: calls queue up, and each sees the state that the one before left.

    Works that wait together are committed together, with one write to disk for all; each is still undone alone when it
    fails, and nobody hears of any before all are on disk.
    """

    def __init__(self, path: Path, together: int = 64) -> None:
        """`together`: most works in one commit. 1 for a process beside the one that charges: its works then hold the
        lock of the database no longer than their own transactions do."""
        self._together_most = together
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="authority")
        self._waiting: deque[_Work] = deque()
        self._connection: sqlite3.Connection = self._executor.submit(_open, path).result()

    async def run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        future: Future[T] = Future()
        self._waiting.append(_Work(lambda: work(self._connection, *args, **kwargs), future))
        self._executor.submit(self._turn)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._executor.submit(self._connection.close).result()
        self._executor.shutdown()

    def _turn(self) -> None:
        """There is a turn for every work, so none is left over; most find theirs done by an earlier one."""
        works = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._together_most))]
        works = [work for work in works if work.future.set_running_or_notify_cancel()]
        if len(works) > 1:
            self._together(works)
        elif works:
            works[0].do()

    def _together(self, works: list[_Work]) -> None:
        done: list[tuple[_Work, Any, BaseException | None]] = []
        try:
            self._connection.execute(_TRANSACTION.begin)
            for work in works:
                try:
                    done.append((work, work.call(), None))
                except BaseException as error:
                    done.append((work, None, error))
                    if not self._connection.in_transaction:
                        # What the others did is undone with it.
                        raise
            self._connection.execute(_TRANSACTION.keep)
        except BaseException as error:
            with suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            for work in works:
                work.future.set_exception(error)
            return
        for work, found, failure in done:
            if failure is None:
                work.future.set_result(found)
            else:
                work.future.set_exception(failure)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {pragma}")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        connection.close()
        raise EnclaveEnvironmentError(f"the database has schema {version}, this release knows {SCHEMA_VERSION}")
    if version < SCHEMA_VERSION:
        _upgrade(connection)
    return connection


def _upgrade(connection: sqlite3.Connection) -> None:
    with transaction(connection, "bring the schema up to date"):
        # Read again under the lock: another process may have done it meanwhile.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        for step in _STEPS[version:]:
            for statement in step.split(";\n"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
