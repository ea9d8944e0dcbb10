"""Functions of one variable, of which every additive model is a sum: value bins, categories, and what is no value."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from xinyidai.catalogue import CellKind

from bank_sdk.errors import BinGap, BinOverlap, FileMalformed, InputError, UnsupportedElement
from bank_sdk.models.importers.edges import positive_zero
from bank_sdk.models.importers.source import NUMBER

Unit = Literal["points", "log_odds"]
"""What a value adds to: a score in points, or the log-odds of the class the model predicts."""
Value = float | str | CellKind | None
"""A number, a category, the kind of a cell that is no value; None and NaN are missing."""
MAX_EDGES: Final = 20_000


@dataclass(frozen=True, slots=True)
class Step:
    """Values from `lower`, inclusive, to `upper`, exclusive."""

    lower: float
    upper: float
    value: float = field(repr=False)
    reason: str | None = None
    """The reason code of this bin, when the source gives one."""


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One variable of a model: numeric with `steps`, or categorical with `labels`, never both."""

    name: str
    place: str
    """Where it stands in the file or object."""
    steps: tuple[Step, ...] = ()
    """Rising, every double in exactly one."""
    labels: Mapping[str, float] = field(default_factory=dict, repr=False)
    cells: Mapping[CellKind, float] = field(default_factory=dict, repr=False)
    """Of the cells that are no value, as far as the source says."""
    specials: Mapping[str, float] = field(default_factory=dict, repr=False)
    """Of special values with a bin of their own; what they mean must be declared."""
    other: float | None = field(default=None, repr=False)
    """Of a category the model never saw; None when the source does not say."""
    reason: str | None = None
    baseline: float | None = None

    @property
    def edges(self) -> tuple[float, ...]:
        """The finite cut points, rising."""
        return tuple(step.lower for step in self.steps[1:])

    def at(self, value: Value) -> float:
        """What `value` adds. Raises `InputError` when the source does not say."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            value = CellKind.MISSING
        if isinstance(value, CellKind):
            found = self.cells.get(value)
        elif isinstance(value, str):
            found = self.specials.get(value, self.labels.get(value, self.other))
        elif self.steps:
            found = self.steps[bisect_right(self.edges, value)].value
        else:
            found = next((v for label, v in self.labels.items() if number_of(label) == value), self.other)
        if found is None:
            raise InputError(f"{self.name}: the source gives no value for {value!r}")
        return found


def number_of(label: str) -> float | None:
    """The number a category's label reads as, None when it is a word."""
    number = float(label) if NUMBER.fullmatch(label.strip()) else math.inf
    return number if math.isfinite(number) else None


def cover(steps: Iterable[Step], place: str) -> tuple[Step, ...]:
    """The same steps rising, when they hold every number exactly once. Raises `BinGap` or `BinOverlap`."""
    ordered = sorted(
        (Step(positive_zero(s.lower), positive_zero(s.upper), s.value, s.reason) for s in steps),
        key=lambda step: (step.lower, step.upper),
    )
    mend = "give every value one bin"
    if not ordered:
        raise BinGap("no bin for any value", place=place, mend=mend)
    if ordered[0].lower != -math.inf:
        raise BinGap(f"no bin for values below {ordered[0].lower:.17g}", place=place, mend=mend)
    for left, right in pairwise(ordered):
        if right.lower < left.upper:
            raise BinOverlap(f"two bins hold {right.lower:.17g}", place=place, mend=mend)
        if right.lower > left.upper:
            raise BinGap(f"no bin from {left.upper:.17g} to {right.lower:.17g}", place=place, mend=mend)
    if ordered[-1].upper != math.inf:
        raise BinGap(f"no bin for values from {ordered[-1].upper:.17g}", place=place, mend=mend)
    return tuple(ordered)


def constant(value: float) -> tuple[Step, ...]:
    return (Step(-math.inf, math.inf, value),)


def add(terms: Iterable[Characteristic]) -> tuple[Characteristic, ...]:
    """Terms of the same variable added up, in the order they first appear."""
    groups: dict[str, list[Characteristic]] = {}
    for term in terms:
        groups.setdefault(term.name, []).append(term)
    return tuple(group[0] if len(group) == 1 else _sum(group) for group in groups.values())


def _sum(terms: Sequence[Characteristic]) -> Characteristic:
    first = terms[0]
    if any(term.specials for term in terms) or len({bool(term.labels) for term in terms}) > 1:
        raise UnsupportedElement(
            f"{first.name} is used both as a number and as a category, or twice with special values",
            place=first.place,
            mend="bin it once",
        )
    kinds = [kind for kind in CellKind if all(kind in term.cells for term in terms)]
    cells = {kind: math.fsum(term.cells[kind] for term in terms) for kind in kinds}
    others = [term.other for term in terms if term.other is not None]
    other = math.fsum(others) if len(others) == len(terms) else None
    labels = _sum_labels(terms) if first.labels else {}
    steps = () if first.labels else _sum_steps(terms)
    return Characteristic(first.name, first.place, steps, MappingProxyType(labels), MappingProxyType(cells), {}, other)


def _sum_steps(terms: Sequence[Characteristic]) -> tuple[Step, ...]:
    edges = np.unique(np.array([edge for term in terms for edge in term.edges], np.float64))
    if edges.size > MAX_EDGES:
        raise FileMalformed(f"{terms[0].name} has more than {MAX_EDGES} cut points", place=terms[0].place)
    totals = np.zeros(edges.size + 1)
    for term in terms:
        starts = np.searchsorted(edges, term.edges, side="left") + 1
        widths = np.diff(np.concatenate(([0], starts, [edges.size + 1])))
        totals += np.repeat([step.value for step in term.steps], widths)
    bounds = [-math.inf, *edges.tolist(), math.inf]
    return tuple(Step(bounds[at], bounds[at + 1], float(total)) for at, total in enumerate(totals))


def _sum_labels(terms: Sequence[Characteristic]) -> dict[str, float]:
    names = dict.fromkeys(label for term in terms for label in term.labels)
    return {name: math.fsum(_at(term, name) for term in terms) for name in names}


def _at(term: Characteristic, label: str) -> float:
    found = term.labels.get(label, term.other)
    if found is None:
        raise UnsupportedElement(
            f"category {label!r} has no value in one of the terms of {term.name}",
            place=term.place,
            mend="give every category a value wherever the variable is used",
        )
    return found
