"""The months a synthetic city covers, and date arithmetic on whole columns."""

import calendar
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from clients.city.errors import CityError

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Dates: TypeAlias = NDArray[np.datetime64]

NEVER: Final = np.datetime64("NaT", "D")
OPEN_9999: Final = np.datetime64("9999-12-31", "D")
OPEN_2099: Final = np.datetime64("2099-12-31", "D")
_EXTRACT_DAYS: Final = 45


@dataclass(frozen=True)
class Timeline:
    """`months` calendar months, the last being that of `as_of`."""

    as_of: np.datetime64
    months: Dates
    """Unit M, rising."""

    @property
    def count(self) -> int:
        return len(self.months)

    @property
    def extracted(self) -> np.datetime64:
        """The day the holders' tables were copied, some weeks after `as_of`: what arrived later is not in them."""
        return self.as_of + np.timedelta64(_EXTRACT_DAYS, "D")

    @property
    def ends(self) -> Dates:
        return last_day(self.months)

    @property
    def codes(self) -> Ints:
        """yyyymm."""
        return yyyymm(self.months)

    def calendar_month(self) -> Ints:
        """0 for January to 11 for December."""
        return self.months.astype(np.int64) % 12


def build_timeline(as_of: date, months: int) -> Timeline:
    """Raises `CityError` unless `as_of` is the last day of a month of 2020 to 2090 and `months` is 12 to 120."""
    if not 2020 <= as_of.year <= 2090 or as_of.day != calendar.monthrange(as_of.year, as_of.month)[1]:
        raise CityError("as_of must be the last day of a month from 2020 to 2090")
    if not 12 <= months <= 120:
        raise CityError("months must be 12 to 120")
    day = np.datetime64(as_of, "D")
    last = day.astype("datetime64[M]")
    return Timeline(day, last - np.arange(months)[::-1].astype("timedelta64[M]"))


def first_day(months: Dates) -> Dates:
    return months.astype("datetime64[M]").astype("datetime64[D]")


def last_day(months: Dates) -> Dates:
    return (months.astype("datetime64[M]") + 1).astype("datetime64[D]") - 1


def yyyymm(dates: Dates) -> Ints:
    """202610 for any day of October 2026."""
    month = dates.astype("datetime64[M]").astype(np.int64)
    return (1970 + month // 12) * 100 + month % 12 + 1


def days(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.timedelta64]:
    return counts.astype(np.int64).astype("timedelta64[D]")


def year_of(dates: Dates) -> Ints:
    return 1970 + dates.astype("datetime64[Y]").astype(np.int64)


def day_of_year(years: Ints, month: int, day: int = 1) -> Dates:
    """The given day of each year."""
    months = (years - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    return first_day(months) + np.timedelta64(day - 1, "D")
