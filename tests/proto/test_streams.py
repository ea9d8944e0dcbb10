"""Streams that say nothing for too long."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from xinyidai.streams import without_long_silence


class Silent(Exception):
    pass


async def speaking(*pauses: float) -> AsyncIterator[int]:
    """A message after each pause, then no end within an hour."""
    for number, pause in enumerate(pauses):
        await asyncio.sleep(pause)
        yield number
    await asyncio.sleep(3600)


async def test_what_is_said_in_time_passes_and_silence_ends_it() -> None:
    heard = []
    with pytest.raises(Silent):
        async for number in without_long_silence(speaking(0, 0.05, 0), 0.5, Silent()):
            heard.append(number)
    assert heard == [0, 1, 2]


async def test_a_stream_that_ends_is_not_silent() -> None:
    async def short() -> AsyncIterator[int]:
        yield 1

    assert [number async for number in without_long_silence(short(), 0.5, Silent())] == [1]


async def test_a_reader_may_take_its_time() -> None:
    messages = without_long_silence(speaking(0, 0), 0.2, Silent())
    for expected in (0, 1):
        assert await anext(messages) == expected
        await asyncio.sleep(0.3)
    with pytest.raises(Silent):
        await anext(messages)


async def test_what_the_stream_itself_raises_is_passed_on() -> None:
    async def broken() -> AsyncIterator[int]:
        yield 1
        raise ConnectionError("pulled the plug")

    messages = without_long_silence(broken(), 0.5, Silent())
    assert await anext(messages) == 1
    with pytest.raises(ConnectionError):
        await anext(messages)
