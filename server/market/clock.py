"""The task that looks at the market's clock."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import structlog

log = structlog.get_logger("server.market")


class MarketClock:
    """Sweeps every so often, on the event loop it was started on."""

    def __init__(self, sweeps: Sequence[Callable[[], Awaitable[int]]], every_seconds: float) -> None:
        """`sweeps`: what is due now, one after the other."""
        self._sweeps = tuple(sweeps)
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                for sweep in self._sweeps:
                    await sweep()
            except RuntimeError as error:
                # The database failed, or is closing; at the next turn it may be back.
                log.error("the market's clock stands still", error=str(error))
            await asyncio.sleep(self._every_seconds)
