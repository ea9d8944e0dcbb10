"""What anybody may read of the log, and what only the enterprise it is about may: proofs of its own entries."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from xinyidai.reasons import Reason
from xinyidai.transparency import Inclusion

from enclave.authority import access
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import EnclaveEnvironmentError, Environment
from enclave.errors import Refused
from enclave.transparency import log, status

_LIST_SECONDS: Final = 5.0
"""How long a status list is handed out before it is made anew."""
_MOST_LISTS: Final = 64
_logger = structlog.get_logger("enclave.transparency")


@dataclass(frozen=True, slots=True)
class ProvenEntry:
    document: str
    inclusion: Inclusion
    size: int
    """The tree the path is for."""


class TransparencyDesk:
    def __init__(self, store: Store, trust: Trust, environment: Environment) -> None:
        self._store = store
        self._trust = trust
        self._environment = environment
        self._lists: dict[int, tuple[float, str]] = {}

    async def open(self) -> None:
        """Before anything is served. Raises `EnclaveEnvironmentError` for a log changed behind the enclave's back."""
        await self._store.run(log.backfill, self._environment)
        await self.seal()

    async def seal(self) -> log.Seal:
        """Raises `EnclaveEnvironmentError` when the log does not extend what was sealed."""
        return await self._store.run(log.seal, self._trust, self._environment.clock())

    async def seal_for_ever(self, seconds: float) -> None:
        """Seal the log every so often until cancelled. What fails is tried again; assessments stop by themselves when
        it fails for too long."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.seal()
            except (sqlite3.Error, EnclaveEnvironmentError) as error:
                _logger.error("the log was not sealed", problem=str(error))

    async def checkpoint(self) -> str:
        """The latest one. Raises `Refused` before the first."""
        last = await self._store.run(log.last_seal)
        if last is None:
            raise Refused(Reason.LOG_UNSEALED, "the log was not sealed yet; try again in some seconds")
        return last.token

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Raises `Refused`."""
        return await self._store.run(lambda connection: log.Prover(connection, new).consistency(old))

    async def leaves(self, first: int, count: int) -> list[bytes]:
        """Raises `Refused`."""
        return await self._store.run(log.leaves_of, first, count)

    async def inclusion(self, raw_access: str, subject: str, size: int) -> ProvenEntry:
        """An enterprise's own entry, by assessment or by the digest of what it signed; `size` 0: the latest checkpoint.
        Raises `Refused`; the access token is spent."""
        now = self._environment.clock()
        enterprise = await self._store.run(access.verify_access, self._trust, raw_access, now)
        return await self._store.run(_own_entry, enterprise, subject, size)

    async def proofs(self, subjects: Sequence[str]) -> tuple[str, list[Inclusion | None]]:
        """The latest checkpoint and the proof of each, None where it is not sealed yet. Raises `Refused`."""
        return await self._store.run(_proofs, subjects)

    async def status_list(self, number: int) -> str:
        """Raises `Refused`. Made anew after some seconds, however often it is asked for."""
        known = self._lists.get(number)
        if known is not None and time.monotonic() - known[0] < _LIST_SECONDS:
            return known[1]
        made = await self._store.run(status.publish, self._trust, self._environment, number, self._environment.clock())
        if len(self._lists) >= _MOST_LISTS:
            self._lists.clear()
        self._lists[number] = (time.monotonic(), made)
        return made


def _own_entry(connection: sqlite3.Connection, enterprise: str, subject: str, size: int) -> ProvenEntry:
    row = connection.execute(
        "SELECT receipt FROM assessment WHERE assessment_id = ? AND enterprise = ? AND receipt IS NOT NULL UNION ALL"
        " SELECT token FROM acknowledgement WHERE document = ? AND enterprise = ?",
        (subject, enterprise, subject, enterprise),
    ).fetchone()
    if row is None:
        raise Refused(Reason.ENTRY_UNKNOWN, "the log has no such entry of this enterprise")
    last = log.last_seal(connection)
    prover = log.Prover(connection, size or (last.size if last else 0))
    found = prover.inclusion(subject)
    if found is None:
        raise Refused(Reason.ENTRY_PENDING, "the entry is not within that checkpoint; ask again in some seconds")
    return ProvenEntry(row[0], found, prover.size)


def _proofs(connection: sqlite3.Connection, subjects: Sequence[str]) -> tuple[str, list[Inclusion | None]]:
    last = log.last_seal(connection)
    if last is None:
        return "", [None for _ in subjects]
    prover = log.Prover(connection, last.size)
    return last.token, [prover.inclusion(subject) for subject in subjects]
