"""White list and alerts as the edge uses them: each call a piece of work on the thread that carries out statements."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from xinyidai.reasons import Reason

from enclave.alerts import checks, watches
from enclave.authority import access, disclosures
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.matrix import Matrix
from enclave.whitelist import demands, lists, statements

STEP_SECONDS: Final = 0.1
"""Lists and alerts leave at a multiple of it: how long the work took depends a little on what was found."""


@asynccontextmanager
async def _in_steps() -> AsyncIterator[None]:
    started = time.monotonic()
    try:
        yield
    finally:
        await asyncio.sleep(STEP_SECONDS - (time.monotonic() - started) % STEP_SECONDS)


class Outreach:
    """Every method raises `Refused` or `DocumentError`."""

    def __init__(
        self,
        trust: Trust,
        store: Store,
        environment: Environment,
        matrix: Callable[[], Matrix],
        rules: lists.ListRules,
    ) -> None:
        """`matrix`: gives the snapshot in force."""
        self._trust = trust
        self._store = store
        self._environment = environment
        self._matrix = matrix
        self._rules = rules

    async def submit_statement(self, raw: str) -> str:
        """An opt-in or opt-out; the confirmation."""
        return await self._store.run(statements.submit_statement, self._trust, raw, self._environment.clock())

    async def submit_demand(self, raw: str) -> None:
        await self._store.run(demands.submit_demand, self._trust, raw, self._environment.clock())

    async def subscribe(self, raw: str) -> tuple[str, bool]:
        return await self._store.run(statements.subscribe, self._trust, raw, self._environment.clock())

    async def make_list(self, bank: str) -> lists.SealedList:
        async with _in_steps():
            now = self._environment.clock()
            return await self._store.run(
                lists.make_list, self._trust, self._rules, self._matrix(), bank, now, self._new_id
            )

    async def set_watch(self, raw: str) -> watches.WatchState:
        return await self._store.run(watches.set_watch, self._trust, raw, self._environment.clock())

    async def watches(self, bank: str) -> list[watches.WatchState]:
        return await self._store.run(watches.watches_of, bank)

    async def take_alerts(self, after: int) -> list[checks.MadeAlert]:
        """Makes what is due first."""
        if after < 0:
            raise Refused(Reason.REQUEST_INVALID, "after is the number of the last alert taken, or 0")
        async with _in_steps():
            now = self._environment.clock()
            await self._store.run(checks.check_watches, self._trust, self._matrix(), now, self._new_id)
            return await self._store.run(checks.take_alerts, after)

    async def disclosures(self, raw_access: str, before: int, count: int) -> tuple[list[str], int | None]:
        now = self._environment.clock()
        enterprise = await self._store.run(access.verify_access, self._trust, raw_access, now)
        return await self._store.run(disclosures.receipts_of, self._trust, enterprise, before, count)

    def _new_id(self) -> str:
        return self._environment.random_bytes(16).hex()
