"""What one enterprise's records say at the end of a day, in ordinary Python: the ground the reference stands on."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from xinyidai.catalogue import builtin_catalogue

from tests.support.records import MISSING, NA

Row = Mapping[str, Any]
Value = float | str
FAR = date(2099, 1, 1)


def month_of(when: date | int) -> int:
    return when.year * 12 + when.month - 1 if isinstance(when, date) else when // 100 * 12 + when % 100 - 1


@dataclass(frozen=True)
class Firm:
    """What is known of one enterprise at the end of `as_of`."""

    as_of: date
    records: Mapping[str, Sequence[Row]]

    def rows(self, category: str) -> Sequence[Row]:
        return self.records.get(category, ())

    @property
    def month(self) -> int:
        return month_of(self.as_of)

    def within(self, when: date | int | None, months: int, category: str, skip: int = 0) -> bool:
        """In the last `months` settled months of a category, or in those that end `skip` months earlier."""
        if when is None:
            return False
        last = self.month - builtin_catalogue().category(category).lag_months - skip
        return last - months < month_of(when) <= last

    def settled(self, when: date | int | None, category: str) -> bool:
        return self.within(when, 10**6, category)

    def since(self, when: date | None) -> int | None:
        return None if when is None or when > self.as_of else self.month - month_of(when)

    def left(self, until: date) -> int:
        return month_of(until + timedelta(days=1)) - self.month - 1

    def began(self, when: date | None) -> bool:
        return when is None or when <= self.as_of

    def runs(self, until: date | None) -> bool:
        return until is None or until >= self.as_of

    def over(self, when: date | None) -> bool:
        return when is not None and when <= self.as_of

    def last_full_year(self) -> int:
        return self.as_of.year - (self.as_of.month != 12)

    def counts(self, row: Row) -> bool:
        """Whether a negative record may be used."""
        return not row.get("repaired") and not self.over(row.get("publicity_end"))


def exact(values: Iterable[Any]) -> float | None:
    """The sum of what is there; None of nothing."""
    known = [Decimal(repr(value)) for value in values if value is not None]
    return float(sum(known)) if known else None


def maybe(value: float | None) -> Value:
    return MISSING if value is None else float(value)


def share(part: float | None, base: float | None, scale: float = 1.0) -> Value:
    if base is not None and base <= 0:
        return NA
    return MISSING if part is None or base is None else scale * part / base


def grown(now: float | None, before: float | None, floor: float) -> Value:
    return MISSING if now is None or before is None else 100 * (now - before) / max(before, floor)


def newest(rows: Iterable[Row], *fields: str) -> Row | None:
    """The last by some fields (an empty one is before every other), then by when it was received."""

    def key(row: Row) -> tuple[Any, ...]:
        return *((row[name] is not None, row[name] or 0) for name in fields), row["recv_time"], row["record_id"]

    def comparable(row: Row) -> tuple[Any, ...]:
        return tuple((part[0], str(part[1])) if isinstance(part, tuple) else part for part in key(row))

    return max(rows, key=comparable, default=None)


def monthly(rows: Iterable[Row], month: Callable[[Row], int], value: Callable[[Row], Any]) -> dict[int, float]:
    """Sums by month; a month in which nothing is stated is not there."""
    stated = defaultdict(list)
    for row in rows:
        stated[month(row)].append(value(row))
    sums = {at: exact(values) for at, values in stated.items()}
    return {at: total for at, total in sums.items() if total is not None}


def streak(months: Iterable[int], last: int) -> int:
    found, length = set(months), 0
    while last - length in found:
        length += 1
    return length
