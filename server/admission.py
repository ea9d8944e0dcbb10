"""The cap on what is at work at once on an edge. Refusing early keeps the accepted calls fast."""

from collections.abc import Iterator
from contextlib import contextmanager

from server.errors import Overloaded


class Admission:
    """Counts on one event loop; not for use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._at_work = 0

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Raises `Overloaded`."""
        if self._at_work >= self._most:
            raise Overloaded("the platform is at its limit of concurrent calls; try again in a second")
        self._at_work += 1
        try:
            yield
        finally:
            self._at_work -= 1
