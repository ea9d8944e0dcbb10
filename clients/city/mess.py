"""What goes wrong between a holder and the data domain: gaps, late months, duplicates, corrections, lost enterprises.

The rates are invented. Corrections carry the record id of the wrong row and arrive later; the wrong row shows ten times
the amount, a slip of the unit.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from clients.city.latents import Firms
from clients.city.rows import Rows
from clients.city.timeline import Bools, Dates, Floats, Ints, Timeline, days

_LOST_FIRMS: Final = 0.015
_LOST_ROWS: Final = 0.004
_OUTAGES: Final = 0.02
_DUPLICATES: Final = 0.003
_CORRECTIONS: Final = 0.004
_SLIP: Final = 10.0


@dataclass(frozen=True)
class Habits:
    """How a holder delivers one category."""

    delay_days: float
    """Mean time from knowing to arrival."""
    late_share: float = 0.01
    """Rows that arrive one to five months late."""
    gaps: bool = False
    """Single rows and runs of one to three months get lost."""
    loses_firms: bool = False
    """Some enterprises never appear, because the holder's key for them could not be aligned."""


@dataclass(frozen=True)
class Arrivals:
    """Which rows arrived, in order of the file, each pointing at the row of `Rows` it repeats."""

    row: Ints
    received: Dates
    """Unit us, naive UTC."""
    slipped: Bools
    """The row shows the wrong amount that a later row corrects."""

    def amount(self, values: Floats) -> Floats:
        """The column the slip befalls, as it arrived."""
        amounts: Floats = values[self.row] * np.where(self.slipped, _SLIP, 1.0)
        return amounts


def _lost(rng: Generator, firms: Firms, rows: Rows, habits: Habits) -> Bools:
    timeline = firms.timeline
    absent = rng.random(firms.count) < (_LOST_FIRMS if habits.loses_firms else 0.0)
    start = np.where(rng.random(firms.count) < _OUTAGES, rng.integers(0, timeline.count, firms.count), 10**6)
    length = rng.integers(1, 4, firms.count)
    single = rng.random(len(rows.firm)) < _LOST_ROWS
    missing: Bools = absent[rows.firm]
    if not habits.gaps:
        return missing
    position = (rows.month.astype("datetime64[M]") - timeline.months[0]).astype(np.int64) - start[rows.firm]
    missing = missing | single | ((position >= 0) & (position < length[rows.firm]))
    return missing


def _arrival(rng: Generator, rows: Rows, habits: Habits) -> Dates:
    count = len(rows.firm)
    late = rng.random(count) < habits.late_share
    wait = 1 + rng.gamma(2.0, habits.delay_days / 2.0, count) + np.where(late, rng.integers(30, 150, count), 0)
    seconds = rng.integers(30 * 60, 10 * 3600, count).astype("timedelta64[s]")
    arrival: Dates = (rows.ready + days(wait)).astype("datetime64[us]") + seconds
    return arrival


def deliver(rng: Generator, firms: Firms, rows: Rows, habits: Habits, limit: int) -> Arrivals:
    """What of `rows` lies in the file when it is copied, for the first `limit` enterprises of the block."""
    count, timeline = len(rows.firm), firms.timeline
    received = _arrival(rng, rows, habits)
    lost = _lost(rng, firms, rows, habits)
    repeated = np.flatnonzero(rng.random(count) < _DUPLICATES)
    corrected = np.flatnonzero(rng.random(count) < _CORRECTIONS)
    again = received[corrected] + days(rng.integers(5, 60, len(corrected)))
    wrong = np.zeros(count, dtype=np.bool_)
    wrong[corrected] = True
    row = np.concatenate([np.arange(count), repeated, corrected])
    at = np.concatenate([received, received[repeated], again])
    slipped = np.concatenate([wrong, wrong[repeated], np.zeros(len(corrected), dtype=np.bool_)])
    keep = ~lost[row] & (rows.firm[row] < limit) & _in_time(at, timeline)
    return Arrivals(row[keep], at[keep], slipped[keep])


def _in_time(received: Dates, timeline: Timeline) -> Bools:
    in_time: Bools = received < (timeline.extracted + 1).astype("datetime64[us]")
    return in_time
