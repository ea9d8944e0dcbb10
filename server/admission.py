"""The cap on what is at work at once on an edge. Refusing early keeps the accepted calls fast."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import Overloaded


class Admission:
    """Counts on one event loop; not for use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_one = max(1, most // 4)
        self._at_work: Counter[str] = Counter()

    @contextmanager
    def admit(self, who: str | None = None) -> Iterator[None]:
        """`who`: a party that may take a quarter of the places, so that it cannot keep the others out. Raises
        `Overloaded`."""
        if self._at_work.total() >= self._most or (who is not None and self._at_work[who] >= self._most_of_one):
            raise Overloaded("the platform is at its limit of concurrent calls; try again in a second")
        name = who or ""
        self._at_work[name] += 1
        try:
            yield
        finally:
            self._at_work[name] -= 1
            if not self._at_work[name]:
                del self._at_work[name]
