"""What the platform does by itself, every so often."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog

log = structlog.get_logger("server.clock")


class Clock:
    """Turns on the event loop it was started on."""

    def __init__(self, every_seconds: float, *steps: Callable[[], Awaitable[object]]) -> None:
        self._steps = steps
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
            for step in self._steps:
                try:
                    await step()
                except RuntimeError as error:
                    # The database failed, or is closing; at the next turn it may be back.
                    log.error("a turn failed", error=str(error))
            await asyncio.sleep(self._every_seconds)
