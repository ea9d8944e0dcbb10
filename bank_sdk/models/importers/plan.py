"""Holding an import against a catalogue: edges onto its grid, values into whole points, every change written down."""

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature, FeatureKind

from bank_sdk.errors import (
    BinOverlap,
    CategoriesShareCell,
    CategoryNotInVocabulary,
    EdgeNotOnGrid,
    InputError,
    MissingPolicyRequired,
    PointsInvalid,
    SpecialValueUnmapped,
    UnknownFeature,
    UnknownPolicyRequired,
)
from bank_sdk.models.importers.edges import holds_multiple
from bank_sdk.models.importers.report import EdgeChange, LostBin, PointsChange, PolicyUse
from bank_sdk.models.importers.terms import Characteristic, number_of
from bank_sdk.models.tables import NO_VALUE, Bin, Policy, Rounding, fill_cells, whole

EdgeRule = Literal["exact", "snap", "refuse"]
CellPolicy = Policy | Literal["as_missing"]
Points = Callable[[float], float]
"""A value of the source in points, before rounding."""
_MEND_EDGE: Final = (
    "propose the edge for the next grid, say the step of the feature's values in steps=, "
    'accept the nearest with edges="snap", or refit with train_on_codes'
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the bank says about a conversion."""

    features: Mapping[str, str]
    categories: Mapping[str, Mapping[str, float | CellKind]]
    specials: Mapping[str, Mapping[str, CellKind]]
    edges: EdgeRule
    rounding: Rounding
    policies: Mapping[CellKind, CellPolicy]
    unknown: Policy
    steps: Mapping[str, float]
    sample: Any

    def __post_init__(self) -> None:
        if self.edges not in ("exact", "snap", "refuse"):
            raise InputError('edges is "exact", "snap" or "refuse"')


@dataclass
class Ledger:
    """Changes as they are found."""

    edges: list[EdgeChange] = field(default_factory=list)
    lost_bins: list[LostBin] = field(default_factory=list)
    rounded: list[PointsChange] = field(default_factory=list)
    policies: list[PolicyUse] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    blocked: list[EdgeNotOnGrid] = field(default_factory=list)


class Conversion:
    """One characteristic at a time onto one catalogue."""

    def __init__(self, catalogue: Catalogue, options: Options, points: Points) -> None:
        self.catalogue = catalogue
        self.options = options
        self.points = points
        self.ledger = Ledger()
        self.table: dict[str, tuple[int, ...]] = {}
        self.bound = 0.0

    def take(self, characteristic: Characteristic) -> None:
        """Raises a `ScorecardError`."""
        code = self.options.features.get(characteristic.name, characteristic.name)
        try:
            feature = self.catalogue.feature(code)
        except CatalogueError as error:
            raise UnknownFeature(code) from error
        if code in self.table:
            raise BinOverlap(f"{code}: two variables are mapped to it", place=characteristic.place)
        one = _One(self, characteristic, feature)
        self.table[code] = one.categories() if characteristic.labels else one.numbers()
        self.bound += one.largest_rounding

    def base(self, value: float) -> int:
        return self._round("", "base_points", value)[0]

    def _round(self, code: str, cell: str, exact: float) -> tuple[int, float]:
        where = f"{code}, {cell}" if code else cell
        try:
            points = whole(where, exact, self.options.rounding)
        except PointsInvalid as error:
            mend = 'say points="nearest" to round' if self.options.rounding == "refuse" else ""
            raise PointsInvalid(str(error), mend=mend) from error
        if points != exact:
            self.ledger.rounded.append(PointsChange(code, cell, exact, points))
        if not code:
            self.bound += abs(points - exact)
        return points, abs(points - exact)


class _One:
    """One characteristic on its feature."""

    def __init__(self, conversion: Conversion, characteristic: Characteristic, feature: Feature) -> None:
        self.conversion = conversion
        self.characteristic = characteristic
        self.feature = feature
        self.options = conversion.options
        self.ledger = conversion.ledger
        self.largest_rounding = 0.0

    def round(self, cell: str, value: float) -> int:
        points, rounding = self.conversion._round(self.feature.code, cell, self.conversion.points(value))
        self.largest_rounding = max(self.largest_rounding, rounding)
        return points

    def numbers(self) -> tuple[int, ...]:
        steps = self.characteristic.steps
        points = [self.round(f"[{step.lower:.9g}, {step.upper:.9g})", step.value) for step in steps]
        moved = [-math.inf]
        for at, edge in enumerate(self.characteristic.edges):
            moved.append(self._grid_edge(edge, abs(points[at + 1] - points[at])))
        moved.append(math.inf)
        bins = []
        for (lower, upper), step, value in zip(pairwise(moved), steps, points, strict=True):
            if lower < upper:
                bins.append(Bin(lower, upper, value))
            else:
                code = self.feature.code
                self.ledger.lost_bins.append(LostBin(self.characteristic.name, code, step.lower, step.upper))
        return fill_cells(self.feature, bins, self.no_value(), {})

    def categories(self) -> tuple[int, ...]:
        found: dict[int, tuple[str, int]] = {}
        labelled: dict[CellKind, float] = {}
        for label, value in self.characteristic.labels.items():
            target = self._number(label)
            if isinstance(target, CellKind):
                labelled[target] = value
                continue
            cell, points = self.feature.cell_of(target), self.round(f"category {label}", value)
            if cell in found and found[cell][1] != points:
                raise CategoriesShareCell(
                    f"{self.feature.code}: categories {found[cell][0]!r} and {label!r} lie in one cell",
                    place=self.characteristic.place,
                    mend="propose a finer grid, or give both the same points",
                )
            found[cell] = (label, points)
            self._note_others(label, target, cell)
        cells = [found[cell][1] if cell in found else self._unknown(cell) for cell in range(self.feature.missing)]
        return (*cells, *self.no_value(labelled).values())

    def no_value(self, labelled: Mapping[CellKind, float] = MappingProxyType({})) -> dict[CellKind, int]:
        """Points of the cells that are no value, in the order of `Feature.cells`."""
        said = {**self.characteristic.cells, **self._specials(), **labelled}
        points: dict[CellKind, int] = {}
        for kind in NO_VALUE:
            if kind in said:
                points[kind] = self.round(str(kind), said[kind])
                continue
            policy = self.options.policies.get(kind, "require")
            if policy == "require" or (policy == "as_missing" and kind is CellKind.MISSING):
                raise MissingPolicyRequired(self.feature.code, kind)
            value = points[CellKind.MISSING] if policy == "as_missing" else whole(str(kind), policy, "refuse")
            self.ledger.policies.append(PolicyUse(self.feature.code, str(kind), str(policy), value))
            points[kind] = value
        return points

    def _specials(self) -> dict[CellKind, float]:
        declared = self.options.specials.get(self.characteristic.name, {})
        found: dict[CellKind, float] = {}
        for label, value in self.characteristic.specials.items():
            if label not in declared or declared[label] not in NO_VALUE:
                raise SpecialValueUnmapped(
                    f"{self.characteristic.name}: special value {label!r} has a bin of its own",
                    place=self.characteristic.place,
                    mend=f"say what it means: specials={{{self.characteristic.name!r}: {{{label!r}: CellKind...}}}}",
                )
            kind = declared[label]
            if (kind in self.characteristic.cells or kind in found) and found.get(
                kind, self.characteristic.cells.get(kind)
            ) != value:
                raise BinOverlap(
                    f"{self.feature.code}: the {kind} cell is given twice", place=self.characteristic.place
                )
            found[kind] = value
        return found

    def _grid_edge(self, edge: float, jump: int) -> float:
        grid = self.feature.grid
        at = bisect_left(grid, edge)
        if at < len(grid) and grid[at] == edge:
            return edge
        near = [grid[i] for i in (at - 1, at) if 0 <= i < len(grid)]
        if not near:
            raise EdgeNotOnGrid(self.feature.code, edge, None, None, place=self.characteristic.place, mend=_MEND_EDGE)
        step = self._step()
        same = [g for g in near if step is not None and not holds_multiple(min(edge, g), max(edge, g), step)]
        chosen = same[0] if same else min(near, key=lambda g: abs(g - edge))
        rows = self._rows_between(min(edge, chosen), max(edge, chosen))
        below, above = (grid[at - 1] if at else None), (grid[at] if at < len(grid) else None)
        refusal = EdgeNotOnGrid(
            self.feature.code, edge, below, above, rows, place=self.characteristic.place, mend=_MEND_EDGE
        )
        if self.options.edges == "refuse":
            raise refusal
        kind: Literal["equivalent", "snapped", "off_grid"] = "equivalent"
        if not same:
            kind = "snapped" if self.options.edges == "snap" else "off_grid"
        if kind == "off_grid":
            self.ledger.blocked.append(refusal)
        change = EdgeChange(
            self.characteristic.name, self.feature.code, edge, chosen, kind, rows, jump if not same else 0
        )
        self.ledger.edges.append(change)
        return chosen

    def _step(self) -> float | None:
        """Levels and flags are whole numbers by the catalogue's own definition."""
        step = self.options.steps.get(self.characteristic.name)
        if step is None:
            return None if self.feature.kind is FeatureKind.CONTINUOUS else 1.0
        if not (isinstance(step, int | float) and math.isfinite(step) and step > 0):
            raise InputError(f"{self.characteristic.name}: the step of its values is a number above 0")
        return float(step)

    def _rows_between(self, lower: float, upper: float) -> int | None:
        if self.options.sample is None:
            return None
        try:
            column = self.options.sample[self.characteristic.name]
        except KeyError:
            return None
        values = np.array([math.nan if value is None else value for value in column], np.float64)
        return int(((values >= lower) & (values < upper)).sum())

    def _number(self, label: str) -> float | CellKind:
        vocabulary = self.options.categories.get(self.characteristic.name, {})
        target = vocabulary[label] if label in vocabulary else number_of(label)
        if target is None or target is CellKind.VALUE or (isinstance(target, float) and math.isnan(target)):
            name = self.characteristic.name
            raise CategoryNotInVocabulary(
                f"{name}: category {label!r} has no number in the catalogue",
                place=self.characteristic.place,
                mend=f"give it one, or a CellKind: categories={{{name!r}: {{{label!r}: ...}}}}",
            )
        return target

    def _unknown(self, cell: int) -> int:
        if self.characteristic.other is not None:
            return self.round("unknown category", self.characteristic.other)
        label = self.feature.cells[cell].label
        if self.options.unknown == "require":
            raise UnknownPolicyRequired(
                f"{self.feature.code}: no category of the model lies in cell {label}",
                place=self.characteristic.place,
                mend="say what an unknown category scores: unknown=<points>",
            )
        points = whole("unknown", self.options.unknown, "refuse")
        self.ledger.policies.append(PolicyUse(self.feature.code, label, "unknown", points))
        return points

    def _note_others(self, label: str, target: float, cell: int) -> None:
        """A cell wider than its category gives other numbers the category's points."""
        bounds, step = self.feature.cells[cell], self._step()
        before = math.nextafter(target, -math.inf) if bounds.lower is None else bounds.lower
        upper = math.nextafter(target, math.inf) if bounds.upper is None else bounds.upper
        alone = step is not None and not (
            holds_multiple(before, target, step) or holds_multiple(math.nextafter(target, math.inf), upper, step)
        )
        if not alone:
            self.ledger.notes.append(
                f"{self.feature.code}: every number in cell {bounds.label} scores as category {label!r}"
            )
