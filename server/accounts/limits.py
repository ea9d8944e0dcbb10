"""How many requests one address, or one account, may make in a minute.

Counted in this process alone: several server processes allow as many times more. What must hold beyond a restart (locks
after failures) is in the database.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from server.accounts.errors import RateLimited

_MOST_KEYS: Final = 20_000


class RateLimiter:
    """A bucket of `per_minute` requests a key, filled evenly; 0: no limit. For one event loop."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Raises `RateLimited`."""
        if not self._size:
            return
        now = self._clock()
        left, at = self._buckets.pop(key, (self._size, now))
        left = min(self._size, left + (now - at) * self._size / 60)
        taken = left >= 1
        self._buckets[key] = (left - 1 if taken else left, now)
        # The longest unused is the fullest, so forgetting it forgives least.
        if len(self._buckets) > _MOST_KEYS:
            self._buckets.popitem(last=False)
        if not taken:
            raise RateLimited(max(1, math.ceil((1 - left) * 60 / self._size)))
