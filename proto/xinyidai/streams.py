"""Streams of requests from outside: those that say nothing are not waited for."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from typing import TypeVar

Message = TypeVar("Message")


async def without_long_silence(
    messages: AsyncIterable[Message], seconds: float, refusal: Exception
) -> AsyncGenerator[Message, None]:
    """Every message as it comes; raises `refusal` when none came for `seconds`.

    A stream that asks nothing holds a place others could use. Time in which nobody takes the next message does not
    count.
    """
    source = aiter(messages)
    while True:
        try:
            async with asyncio.timeout(seconds):
                message = await anext(source)
        except StopAsyncIteration:
            return
        except TimeoutError as silence:
            raise refusal from silence
        yield message
