"""The hidden state of a block of synthetic enterprises. Records see it only through their own noise.

`strain` is what the categories share: how hard it is for the enterprise, month by month, to meet its obligations. The
default outcome depends on the last strain and on a shock no record shows, so that no scorecard can be perfect.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.random import Generator, SeedSequence, default_rng

from clients.city import industries
from clients.city.identity import (
    BRANCH,
    COOPERATIVE,
    ENT_TYPES,
    REGION_WEIGHTS,
    REGIONS,
    SOLE_TRADER,
    build_names,
    build_usccs,
)
from clients.city.rows import sigmoid
from clients.city.timeline import NEVER, Bools, Dates, Floats, Ints, Timeline, days

BLOCK: Final = 500
"""Enterprises drawn together. A block's content depends on the seed and its number alone, so that the first n
enterprises of a city are the same whatever its size. One of each block, an old one, has a code that fails its check."""
STATUSES: Final = ("active", "revoked", "cancelled", "moved_out")
_SIZES_BY_TYPE: Final = np.cumsum(
    [[0.58, 0.31, 0.09, 0.02], [0.97, 0.03, 0.0, 0.0], [0.85, 0.14, 0.01, 0.0], [0.60, 0.30, 0.08, 0.02]], axis=1
)
_STAFF: Final = np.array([5.0, 24.0, 120.0, 480.0])
_INTERCEPT: Final = -3.50
_VISIBLE: Final = 1.50
_UNSEEN: Final = 0.50
_UNITARY_REFORM: Final = np.datetime64("2015-10-01", "D")


@dataclass(frozen=True)
class Firms:
    """Columns over the enterprises of one block (n), or over enterprises and months (n x T)."""

    timeline: Timeline
    uscc: pa.Array
    name: pa.Array
    kind: Ints
    """Index into `ENT_TYPES`."""
    region: Ints
    industry: Ints
    size: Ints
    """0 micro, 1 small, 2 medium, 3 large."""
    founded: Dates
    status: Ints
    """Index into `STATUSES`."""
    closed: Dates
    """Last day of activity; NaT while active."""
    staff: Ints
    """n x T."""
    revenue: Floats
    """CNY a year, at today's activity."""
    growth: Floats
    """Yearly log growth of the underlying business."""
    leverage: Floats
    """Standardised indebtedness."""
    strain: Floats
    """n x T; about standard normal over enterprises."""
    activity: Floats
    """n x T; business done in the month relative to a month of `revenue`; 0 before founding and after closing."""
    true_risk: Floats
    """Probability of default within 12 months after as_of."""
    defaulted: Bools

    @property
    def count(self) -> int:
        return len(self.kind)

    @property
    def alive(self) -> Bools:
        """n x T."""
        alive: Bools = self.activity > 0
        return alive

    @property
    def strain_now(self) -> Floats:
        return self.strain[:, -1]

    @property
    def sales(self) -> Floats:
        """CNY in each month, n x T."""
        return self.activity * self.revenue[:, None] / 12


def stream(seed: int, *path: int) -> Generator:
    """An independent generator for each path, so that no category's draws depend on another's."""
    return default_rng(SeedSequence([seed, *path]))


def wander(rng: Generator, count: int, steps: int, keep: float) -> Floats:
    """AR(1) paths of unit variance, count x steps."""
    path = rng.standard_normal((count, steps))
    scale = np.sqrt(1 - keep**2)
    for t in range(1, steps):
        path[:, t] = keep * path[:, t - 1] + scale * path[:, t]
    return path


def _sizes(rng: Generator, kind: Ints) -> Ints:
    drawn: Ints = (rng.random(len(kind))[:, None] > _SIZES_BY_TYPE[kind]).sum(axis=1)
    return np.minimum(drawn, 3)


def _strain(rng: Generator, industry: Ints, size: Ints, log_age: Floats, region: Ints) -> tuple[Floats, Floats]:
    """Today's strain, mostly the enterprise's own quality, and its leverage."""
    quality = rng.standard_normal(len(industry))
    leverage = 0.4 * quality + 0.9 * rng.standard_normal(len(industry))
    strain = (
        0.85 * quality + 0.20 * leverage + 0.35 * (industries.RISK[industry] - 0.17) + 0.22 * (size == 0) - 0.13
        - 0.22 * (size >= 2) - 0.16 * (log_age - np.log(80.0)) + 0.06 * (region >= 4)
    )  # fmt: skip
    return strain, leverage


def _legacy(rng: Generator, old: Bools) -> Bools:
    legacy = np.zeros(len(old), dtype=np.bool_)
    legacy[np.argmax(old * rng.random(len(old)))] = True
    return legacy


def _paths(
    rng: Generator, timeline: Timeline, strain: Floats, industry: Ints, growth: Floats
) -> tuple[Floats, Floats, Floats]:
    """Strain, activity and head count relative to today's, each n x T."""
    n, steps = len(strain), timeline.count
    ago = np.arange(steps - 1, -1, -1) / 12.0
    drift = 0.18 * strain + rng.normal(0, 0.18, n)
    noise = wander(rng, n, steps, 0.85)
    strains = strain[:, None] - drift[:, None] * np.minimum(ago, 3.0) + 0.35 * (noise - noise[:, -1:])
    swing = np.sin(2 * np.pi * (timeline.calendar_month() - 3) / 12)
    holiday = np.where(timeline.calendar_month() == 1, -0.30, 0.0)
    season = industries.SEASON[industry][:, None] * swing + holiday
    wobble = 0.05 + 0.05 * np.exp(0.45 * np.clip(strain, -3, 3) + rng.normal(0, 0.4, n))
    underlying = -growth[:, None] * ago + 0.10 * (wander(rng, n, steps, 0.97) - 1.0)
    activity = np.exp(underlying + season + wobble[:, None] * wander(rng, n, steps, 0.45))
    heads = np.exp(0.6 * underlying + 0.03 * wander(rng, n, steps, 0.9))
    return strains, activity, heads


def _closings(rng: Generator, timeline: Timeline, strain: Floats) -> tuple[Ints, Dates]:
    n = len(strain)
    tilt = np.exp(np.clip(0.7 * strain, -2, 2))
    draw = rng.random(n)
    status = np.select([draw < 0.005 * tilt, draw < 0.012 * tilt, draw < 0.012 * tilt + 0.005], [1, 2, 3], 0)
    closed = np.where(status > 0, timeline.as_of - days(rng.integers(20, 540, n)), NEVER)
    return status.astype(np.int64), closed.astype("datetime64[D]")


def build_firms(seed: int, block: int, timeline: Timeline) -> Firms:
    """The `BLOCK` enterprises numbered from `block * BLOCK`."""
    rng, n = stream(seed, 0, block), BLOCK
    index = block * BLOCK + np.arange(n, dtype=np.int64)
    kind = rng.choice(len(ENT_TYPES), n, p=(0.78, 0.12, 0.06, 0.04)).astype(np.int64)
    industry = rng.choice(len(industries.INDUSTRIES), n, p=industries.WEIGHT).astype(np.int64)
    industry = np.where(kind == COOPERATIVE, rng.choice(industries.FARMING, n), industry)
    region = rng.choice(len(REGIONS), n, p=REGION_WEIGHTS).astype(np.int64)
    size = _sizes(rng, kind)
    log_age = rng.normal(np.log(80.0), 0.8, n) + 0.2 * size
    founded = timeline.as_of - days(np.clip(np.exp(log_age), 2.0, 420.0) * 30.44)
    strain, leverage = _strain(rng, industry, size, log_age, region)
    true_risk = sigmoid(_INTERCEPT + _VISIBLE * strain + _UNSEEN * rng.standard_normal(n))
    growth = 0.05 - 0.08 * strain + rng.normal(0, 0.10, n)
    strains, activity, heads = _paths(rng, timeline, strain, industry, growth)
    staff = np.exp(rng.normal(np.log(_STAFF[size]), 0.55))
    sales = staff * industries.SALES_PER_HEAD[industry] * 1e4 * np.exp(rng.normal(0, 0.5, n))
    status, closed = _closings(rng, timeline, strain)
    open_now = (timeline.ends >= founded[:, None]) & ~(timeline.ends > closed[:, None])
    old = founded < _UNITARY_REFORM
    return Firms(
        timeline=timeline,
        uscc=build_usccs(index, kind, region, ~old, _legacy(rng, old)),
        name=build_names(rng, index, kind, industry),
        kind=kind,
        region=region,
        industry=industry,
        size=size,
        founded=founded.astype("datetime64[D]"),
        status=status,
        closed=closed,
        staff=np.maximum(1, np.rint(staff[:, None] * heads)).astype(np.int64),
        revenue=np.maximum(20_000.0, sales),
        growth=growth,
        leverage=leverage,
        strain=strains,
        activity=np.where(open_now, activity, 0.0),
        true_risk=true_risk,
        defaulted=rng.random(n) < true_risk,
    )


def is_small_trader(firms: Firms) -> Bools:
    """Sole traders and branches, which many duties do not reach."""
    small: Bools = (firms.kind == SOLE_TRADER) | (firms.kind == BRANCH)
    return small
