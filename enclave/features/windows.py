"""Time as the features see it: `as_of`, settled months, and windows that end with the last settled month.

Months are counted as year * 12 + month - 1, in Python and in expressions alike, so that a difference is a number of
months.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import ibis
from xinyidai.catalogue import Catalogue

from enclave.records.law import Law

FAR: Final = date(2099, 1, 1)
"""Dates from here on, and absent ones, mean that a right or a permit has no end."""
NEVER: Final = 120.0
"""The months since an event that an attested table has never seen (catalogue: "none: 120")."""


def month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def number_ym(number: int) -> int:
    """yyyymm of a month number."""
    return number // 12 * 100 + number % 12 + 1


def ym_number(ym: ibis.Value) -> ibis.Value:
    """Month number of a yyyymm column."""
    return ym.cast("int64") // 100 * 12 + ym % 100 - 1


def date_number(day: ibis.Value) -> ibis.Value:
    """Month number of a date column."""
    return day.year().cast("int64") * 12 + day.month() - 1


@dataclass(frozen=True, slots=True)
class Window:
    """Whole months, both ends inclusive, by month number."""

    first: int
    last: int

    @property
    def months(self) -> int:
        return self.last - self.first + 1

    @property
    def first_day(self) -> date:
        return date(self.first // 12, self.first % 12 + 1, 1)

    @property
    def last_day(self) -> date:
        year, month = self.last // 12, self.last % 12 + 1
        return date(year, month, monthrange(year, month)[1])

    def has_ym(self, ym: ibis.Value) -> ibis.Value:
        """Whether a yyyymm column lies in the window. Such numbers rise as months do, so they are compared as they
        are, which lets an engine skip what a file's statistics rule out."""
        return ym.between(number_ym(self.first), number_ym(self.last))

    def has_date(self, day: ibis.Value) -> ibis.Value:
        """Whether a date column lies in the window."""
        return day.between(self.first_day, self.last_day)


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of one category, back from its last settled month."""

    settled: int
    """Month number of the last settled month."""

    def back(self, months: int, *, skip: int = 0) -> Window:
        """The `months` months that end `skip` months before the last settled one, that one included when 0."""
        last = self.settled - skip
        return Window(last - months + 1, last)

    def settles_ym(self, ym: ibis.Value) -> ibis.Value:
        """Whether the month of a yyyymm column is settled."""
        return ym <= number_ym(self.settled)

    @property
    def m12(self) -> Window:
        return self.back(12)

    @property
    def p12(self) -> Window:
        return self.back(12, skip=12)

    @property
    def m24(self) -> Window:
        return self.back(24)

    @property
    def m36(self) -> Window:
        return self.back(36)


@dataclass(frozen=True, slots=True)
class Clock:
    """The day the features are of. Build with `Clock.at`."""

    as_of: date
    lags: Mapping[str, int]
    """Category code to its declared lag in months."""
    law: Law

    @classmethod
    def at(cls, as_of: date, catalogue: Catalogue) -> "Clock":
        """Raises `ValueError` unless `as_of` is the last day of a month."""
        if as_of.day != monthrange(as_of.year, as_of.month)[1]:
            raise ValueError("as_of must be the last day of a month, because every window is of whole months")
        lags = {category.code: category.lag_months for category in catalogue.categories}
        return cls(as_of, lags, Law.at(as_of, catalogue))

    def of(self, category: str) -> Windows:
        """The category's windows: a month is settled once `lag_months` further months have passed."""
        return Windows(month_number(self.as_of) - self.lags[category])

    @property
    def month(self) -> int:
        return month_number(self.as_of)

    @property
    def last_full_year(self) -> int:
        """The latest calendar year that is over."""
        return self.as_of.year if self.as_of.month == 12 else self.as_of.year - 1

    def months_since(self, day: ibis.Value) -> ibis.Value:
        """Whole months from a date to `as_of`; NULL for a date after it. As `as_of` is the end of its month, every
        day of a month is equally many whole months back."""
        return ibis.cases((day <= self.as_of, self.month - date_number(day))).cast("float64")

    def months_left(self, day: ibis.Value) -> ibis.Value:
        """Whole months from the end of `as_of` to the end of a date; negative once that is past."""
        return (date_number(day + ibis.interval(days=1)) - (self.month + 1)).cast("float64")

    def begun(self, day: ibis.Value) -> ibis.Value:
        """Not dated after `as_of`; an unknown date counts as begun."""
        return (day <= self.as_of).fill_null(True)

    def unended(self, day: ibis.Value) -> ibis.Value:
        """Still in force at the end of `as_of`; an unknown date is an open end."""
        return (day >= self.as_of).fill_null(True)

    def ended(self, day: ibis.Value) -> ibis.Value:
        """Over by the end of `as_of`: a closing or a removal on that day is done. An unknown date has not ended."""
        return (day <= self.as_of).fill_null(False)


def capped(months: ibis.Value) -> ibis.Value:
    """Months since an event, no more than `NEVER`. Not `least`: engines differ on what that makes of NULL."""
    return ibis.ifelse(months > NEVER, NEVER, months)


def open_end(day: ibis.Value) -> ibis.Value:
    """An end date with "no end" said in one way: `FAR`."""
    return ibis.least(day.fill_null(FAR), FAR)


def growth(now: ibis.Value, before: ibis.Value, floor: float) -> ibis.Value:
    """Per cent: 100 * (now - before) / max(before, floor), over floats. NULL when either is. The floor keeps a firm
    that starts from nearly nothing from growing without bound. A caller passes `before` only for a full period."""
    return 100.0 * (now - before) / ibis.greatest(before, floor)


def usable(clock: Clock, table: ibis.Table, category: str) -> ibis.Table:
    """The rows of a category whose content no rule in force shuts out: what was repaired and what is past its publicity
    is neither shared nor used. Which fields say so stands in the catalogue."""
    return table.filter(clock.law.lawful(table, category))
