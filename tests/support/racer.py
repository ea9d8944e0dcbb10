"""One party of a race in a process of its own: `python -m tests.support.racer URL`.

Each line of its input is a move as JSON with the moment (time.monotonic) to make it at; each line of its output says
whether it was let through.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Self

from server.db import Database
from server.logs import configure_logging
from server.market.errors import MarketRefused
from tests.support.market import Market

_AHEAD_SECONDS = 0.05


def main() -> None:
    database = Database(sys.argv[1])
    configure_logging()
    print("ready", flush=True)
    for line in sys.stdin:
        move = json.loads(line)
        market = Market(database, now=move["now"])
        moves: dict[str, Callable[..., object]] = {
            "grab": market.grab,
            "accept": partial(_accept, market),
            "sweep": market.sweep,
        }
        time.sleep(max(0.0, move["at"] - time.monotonic()))
        try:
            moves[move["move"]](*move["arguments"])
        except MarketRefused:
            print("refused", flush=True)
        else:
            print("done", flush=True)
    database.close()


def _accept(market: Market, demand: str, offer: str, enterprise: int) -> None:
    market.accept(demand, offer, enterprise=enterprise)


class Racers:
    """So many processes over one database. Use as a context manager."""

    def __init__(self, url: str, number: int) -> None:
        line = [sys.executable, "-m", "tests.support.racer", url]
        self._started = [
            subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL)
            for _ in range(number)
        ]

    def __enter__(self) -> Self:
        for racer in self._started:
            self._said(racer, "ready")
        return self

    def __exit__(self, *_: object) -> None:
        for racer in self._started:
            racer.stdin.close()  # type: ignore[union-attr]
            racer.stdout.close()  # type: ignore[union-attr]
            racer.wait(10)

    def race(self, now: int, *moves: tuple[Any, ...]) -> list[bool]:
        """All at once, one a process; who was let through. A move: name, its own time or None, arguments."""
        at = time.monotonic() + _AHEAD_SECONDS
        for racer, (move, moved_now, *arguments) in zip(self._started, moves, strict=True):
            sent = {"move": move, "now": moved_now or now, "arguments": arguments, "at": at}
            racer.stdin.write(json.dumps(sent) + "\n")  # type: ignore[union-attr]
            racer.stdin.flush()  # type: ignore[union-attr]
        return [self._said(racer, "done", "refused") == "done" for racer in self._started]

    @staticmethod
    def _said(racer: "subprocess.Popen[str]", *expected: str) -> str:
        word: str = racer.stdout.readline().strip()  # type: ignore[union-attr]
        assert word in expected, f"a racer said {word!r}"
        return word


if __name__ == "__main__":
    main()
