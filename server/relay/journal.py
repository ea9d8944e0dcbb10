"""One way to relay: call the enclave, then write the audit and the copies in one transaction, and only then answer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlmodel import Session

from server.audit.service import CANCELLED, OK, Event, append
from server.db import Database
from server.enclaves import Enclave, UnaryMethod
from server.errors import Refused

Change = Callable[[Session, int], object]
"""Applied with the time of the transaction."""


class Journal:
    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self.clock = clock

    async def write(self, name: str, events: Sequence[Event], *changes: Change) -> None:
        """One transaction, finished even when the caller is cancelled meanwhile: what passed has passed."""
        now = self.clock()

        def work(session: Session) -> None:
            for change in changes:
                change(session, now)
            append(session, events, now)

        await asyncio.shield(self._database.change(name, work))

    async def relay(
        self, enclave: Enclave, method: UnaryMethod, request: Any, event: Event, remaining: float | None = None
    ) -> Any:
        """The enclave's answer, whose passing the caller still has to `write`. A failure is written here and raised.

        A cancelled call may have been carried out by the enclave all the same: its outcome reads CANCELLED.
        """
        try:
            return await enclave.call(method, request, remaining)
        except (Refused, asyncio.CancelledError) as error:
            outcome = error.reason if isinstance(error, Refused) else CANCELLED
            await self.write(f"{event.kind} failed", [replace(event, outcome=str(outcome))])
            raise

    async def passed(self, event: Event, *changes: Change) -> None:
        await self.write(event.kind, [replace(event, outcome=OK)], *changes)
