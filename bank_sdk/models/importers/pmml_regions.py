"""Sets of values of one variable: numbers, categories, missing. What a predicate is true for."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Intervals = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Region:
    """A union of disjoint intervals [lower, upper) in rising order, of categories or all but some, and missing."""

    intervals: Intervals = ()
    labels: frozenset[str] = frozenset()
    all_but: bool = False
    """Whether `labels` are those left out."""
    missing: bool = False

    @classmethod
    def everything(cls) -> "Region":
        return cls(((-math.inf, math.inf),), frozenset(), True, True)

    @classmethod
    def numbers(cls) -> "Region":
        return cls.between(-math.inf, math.inf)

    @classmethod
    def between(cls, lower: float, upper: float) -> "Region":
        return cls(((lower, upper),) if lower < upper else ())

    @classmethod
    def union(cls, intervals: Iterable[tuple[float, float]]) -> "Region":
        merged: list[tuple[float, float]] = []
        for lower, upper in sorted(interval for interval in intervals if interval[0] < interval[1]):
            if merged and lower <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(upper, merged[-1][1]))
            else:
                merged.append((lower, upper))
        return cls(tuple(merged))

    @classmethod
    def missing_only(cls) -> "Region":
        return cls(missing=True)

    def __and__(self, other: "Region") -> "Region":
        intervals = _common(self.intervals, other.intervals)
        missing = self.missing and other.missing
        if self.all_but and other.all_but:
            return Region(intervals, self.labels | other.labels, True, missing)
        if self.all_but or other.all_but:
            kept, dropped = (other, self) if self.all_but else (self, other)
            return Region(intervals, kept.labels - dropped.labels, False, missing)
        return Region(intervals, self.labels & other.labels, False, missing)

    def __or__(self, other: "Region") -> "Region":
        return ((~self) & (~other)).complement()

    def __invert__(self) -> "Region":
        return self.complement()

    def complement(self) -> "Region":
        bounds = [-math.inf, *(edge for interval in self.intervals for edge in interval), math.inf]
        gaps = zip(bounds[::2], bounds[1::2], strict=True)
        intervals = tuple((lower, upper) for lower, upper in gaps if lower < upper)
        return Region(intervals, self.labels, not self.all_but, not self.missing)

    def has_label(self, label: str) -> bool:
        return (label in self.labels) != self.all_but

    @property
    def edges(self) -> tuple[float, ...]:
        return tuple(edge for interval in self.intervals for edge in interval if math.isfinite(edge))


def _common(first: Intervals, second: Intervals) -> Intervals:
    """Both are disjoint and rising, so one pass does."""
    found, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        lower, upper = max(first[i][0], second[j][0]), min(first[i][1], second[j][1])
        if lower < upper:
            found.append((lower, upper))
        if first[i][1] < second[j][1]:
            i += 1
        else:
            j += 1
    return tuple(found)
