"""Waking whoever waits for news on this event loop."""

import asyncio
from typing import Final

_WAIT_SECONDS: Final = 1.0
"""A reader looks again after this long even if this process changed nothing: another one may have."""


class Bell:
    def __init__(self) -> None:
        self._changed = asyncio.Event()
        self.ended = False

    def ring(self) -> None:
        """Everyone who waits now; who comes later waits for the next ring."""
        self._changed.set()
        self._changed = asyncio.Event()

    def end(self) -> None:
        """The process stops: readers come back to another one, or to this one's successor."""
        self.ended = True
        self.ring()

    async def wait(self) -> None:
        """For the next ring, or a second."""
        changed = self._changed
        try:
            await asyncio.wait_for(changed.wait(), _WAIT_SECONDS)
        except TimeoutError:
            return
