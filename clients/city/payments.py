"""How a strained enterprise pays its bills: on time, late, or not at all."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator

from clients.city.rows import sigmoid
from clients.city.timeline import NEVER, Dates, Floats, Ints, days

_LATE: Final = -3.9
_UNPAID: Final = -6.3
_SLOPE: Final = 1.0
_HABIT: Final = 0.8


@dataclass(frozen=True)
class Payments:
    """One entry a bill."""

    paid_on: Dates
    """NaT: not paid so far."""
    days_late: Ints
    """0 when on time or unpaid."""
    share: Floats
    """Part of the bill that was paid, 0 to 1."""


def habits(rng: Generator, count: int) -> Floats:
    """An enterprise's own carelessness towards one payee, which says nothing about its risk."""
    return rng.normal(0, _HABIT, count)


def settle(rng: Generator, due: Dates, pressure: Floats) -> Payments:
    """Draw the outcome of bills due on `due` under `pressure` (strain plus habit), one each."""
    count = len(due)
    draw = rng.random(count)
    unpaid_share = sigmoid(_UNPAID + _SLOPE * pressure)
    unpaid = draw < unpaid_share
    late = ~unpaid & (draw < unpaid_share + sigmoid(_LATE + _SLOPE * pressure))
    delay = 1 + rng.gamma(1.1, 14.0 + 5.0 * np.clip(pressure, -1, 3), count)
    early = rng.integers(0, 12, count)
    days_late = np.where(late, np.minimum(delay, 200), 0).astype(np.int64)
    paid_on = np.where(unpaid, NEVER, due + days(np.where(late, days_late, -early)))
    partial = np.where(rng.random(count) < 0.3, rng.uniform(0.1, 0.8, count), 0.0)
    paid_on = np.where(unpaid & (partial > 0), due, paid_on)
    return Payments(paid_on.astype("datetime64[D]"), days_late, np.where(unpaid, partial, 1.0))


def known_on(closes: Dates, payments: Payments) -> Dates:
    """The day a bill's outcome is known: when paid, or 30 days after the close of the period when it was not."""
    waiting = closes + np.timedelta64(30, "D")
    latest = np.where(np.isnat(payments.paid_on), waiting, np.maximum(closes, payments.paid_on))
    return latest.astype("datetime64[D]")
