"""Holding an import against a catalogue: edges onto its grid, values into whole points, every change written down."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature

from bank_sdk.errors import (
    BinOverlap,
    CategoriesShareCell,
    CategoryNotInVocabulary,
    MissingPolicyRequired,
    SpecialValueUnmapped,
    UnknownFeature,
    UnknownPolicyRequired,
)
from bank_sdk.models.importers.edges import holds_multiple
from bank_sdk.models.importers.grid_edges import GridEdges, Ledger, Options
from bank_sdk.models.importers.report import LostBin, PolicyUse
from bank_sdk.models.importers.terms import Characteristic, number_of
from bank_sdk.models.tables import NO_VALUE, Bin, fill_cells, whole

Points = Callable[[float], float]
"""A value of the source in points, before rounding."""


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
        points = self.ledger.whole("", "base_points", value, self.options.rounding)
        self.bound += abs(points - value)
        return points


class _One:
    """One characteristic on its feature."""

    def __init__(self, conversion: Conversion, characteristic: Characteristic, feature: Feature) -> None:
        self.conversion = conversion
        self.characteristic = characteristic
        self.feature = feature
        self.options = conversion.options
        self.ledger = conversion.ledger
        self.edges = GridEdges(
            feature, characteristic.name, characteristic.place, conversion.options, conversion.ledger
        )
        self.largest_rounding = 0.0

    def round(self, cell: str, value: float) -> int:
        exact = self.conversion.points(value)
        points = self.ledger.whole(self.feature.code, cell, exact, self.options.rounding)
        self.largest_rounding = max(self.largest_rounding, abs(points - exact))
        return points

    def numbers(self) -> tuple[int, ...]:
        steps = self.characteristic.steps
        points = [self.round(f"[{step.lower:.9g}, {step.upper:.9g})", step.value) for step in steps]
        moved = [-math.inf]
        for at, edge in enumerate(self.characteristic.edges):
            moved.append(self.edges.find(edge, abs(points[at + 1] - points[at])))
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
                self._once(target, value, labelled)
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

    def _once(self, kind: CellKind, value: float, labelled: Mapping[CellKind, float]) -> None:
        if {**self.characteristic.cells, **labelled}.get(kind, value) != value:
            raise BinOverlap(
                f"{self.feature.code}: the {kind} cell is given twice, with different points",
                place=self.characteristic.place,
                mend="let only categories with the same points stand for it, or another cell",
            )

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
        bounds, step = self.feature.cells[cell], self.edges.step()
        before = math.nextafter(target, -math.inf) if bounds.lower is None else bounds.lower
        upper = math.nextafter(target, math.inf) if bounds.upper is None else bounds.upper
        alone = step is not None and not (
            holds_multiple(before, target, step) or holds_multiple(math.nextafter(target, math.inf), upper, step)
        )
        if not alone:
            self.ledger.notes.append(
                f"{self.feature.code}: every number in cell {bounds.label} scores as category {label!r}"
            )
