"""When answers leave that took long or short depending on the records."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

STEP_SECONDS: Final = 1.0


@asynccontextmanager
async def whole_seconds() -> AsyncIterator[None]:
    """What is inside ends at a whole number of seconds after it began, also when it fails. How many seconds can be
    seen from outside."""
    started = time.monotonic()
    try:
        yield
    finally:
        await asyncio.sleep(STEP_SECONDS - (time.monotonic() - started) % STEP_SECONDS)
