"""The catalogue as frozen values: categories, record fields, features, cells and the layout of the model polynomial."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from math import isnan
from typing import Final

from xinyidai.catalogue.errors import CatalogueError, UnknownCategory, UnknownFeature, UnknownFigure

MAX_CELLS = 4096
"""Degree of the smallest parameter set: one coefficient a cell."""
ARROW_TYPES: Final[Mapping[str, str]] = {
    "str": "string",
    "enum": "string",
    "int": "int64",
    "yyyymm": "int64",
    "dec": "float64",
    "date": "date32",
    "datetime": "timestamp[us]",
    "bool": "bool",
}
"""Every type of a record field, and what its column is as Arrow, by the alias pyarrow knows it under."""


class Direction(StrEnum):
    HIGHER = "higher"
    LOWER = "lower"
    MIDDLE = "middle"
    ORDINAL = "ordinal"


class FeatureKind(StrEnum):
    CONTINUOUS = "continuous"
    ORDINAL = "ordinal"
    GATE = "gate"


class CellKind(StrEnum):
    VALUE = "value"
    MISSING = "missing"
    NOT_APPLICABLE = "not_applicable"
    NOT_AUTHORIZED = "not_authorized"


@dataclass(frozen=True, slots=True)
class Text:
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a category's records."""

    name: str
    type: str
    """A key of `ARROW_TYPES`."""
    unit: str | None
    values: tuple[str, ...]
    """Of an enum; empty otherwise."""
    evidence: str
    """S read in a public schema, R recalled, P proposed by this project."""


@dataclass(frozen=True, slots=True)
class Cell:
    index: int
    """Within its feature, from 0."""
    kind: CellKind
    lower: float | None
    """Inclusive; None is unbounded, or a cell that is no value."""
    upper: float | None
    """Exclusive."""

    @property
    def label(self) -> str:
        if self.kind is not CellKind.VALUE:
            return str(self.kind)
        lower = "(-inf" if self.lower is None else f"[{self.lower:g}"
        upper = "inf)" if self.upper is None else f"{self.upper:g})"
        return f"{lower}, {upper}"


@dataclass(frozen=True)
class Feature:
    code: str
    category: str
    title: Text
    definition: str
    unit: str
    direction: Direction
    kind: FeatureKind
    window: str
    sources: tuple[str, ...]
    """Category codes the feature reads, its own first; more than one: all of them must be authorized."""
    edges: tuple[float, ...]
    """The policy edges people argue about, 7 to 15 of them."""
    anchored: tuple[float, ...]
    """Edges that stand in a rule of somebody else's (a law, a bank's admission text) and must not be moved."""
    grid: tuple[float, ...]
    """The fine public grid: a strictly rising superset of the edges. Value cell i is [grid[i-1], grid[i])."""
    field: str | None
    """Set when the feature is a field of the category's latest record, read as it is."""
    figures: tuple[str, ...]
    """Codes of the published figures the feature is computed with."""
    evidence: str

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Value cells, then missing, not-applicable and not-authorized, always in this order."""
        bounds = [None, *self.grid, None]
        values = [Cell(i, CellKind.VALUE, bounds[i], bounds[i + 1]) for i in range(len(self.grid) + 1)]
        kinds = (CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED)
        return (*values, *(Cell(len(values) + i, kind, None, None) for i, kind in enumerate(kinds)))

    @property
    def missing(self) -> int:
        return len(self.grid) + 1

    @property
    def not_applicable(self) -> int:
        return len(self.grid) + 2

    @property
    def not_authorized(self) -> int:
        return len(self.grid) + 3

    def cell_of(self, value: float) -> int:
        """The value cell of `value`; NaN is refused, because missing must be said and never inferred."""
        if isnan(value):
            raise CatalogueError(self.code, "NaN has no cell; use the missing or the not-applicable cell")
        return bisect_right(self.grid, value)


@dataclass(frozen=True, slots=True)
class Category:
    number: int
    code: str
    group: str | None
    title: Text
    holders: tuple[str, ...]
    provenance: str
    """Which document the class comes from, and how well that was read."""
    cadence: str
    lag_months: int
    """A month counts as settled when this many further months have passed."""
    sensitivity: str
    sharing: str
    hits_only: bool
    """The table holds only the hits (penalties, listings): no rows mean a clean firm only if coverage is attested."""
    attests_coverage: bool
    evidence: str
    fields: tuple[Field, ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class Publicity:
    """How long a record may be public, as fields of its category."""

    end: str
    """Field with the stated end, a date. The record counts until the day before."""
    begin: str | None
    """Field with the date of the document, where the longest period runs from it."""
    severity: str | None
    """Enum field that says which longest period applies."""
    most_months: tuple[tuple[str, int], ...]
    """Longest period by severity, every value of the field once. A record without a severity has the longest of all."""


@dataclass(frozen=True, slots=True)
class Application:
    """What a rule does to the records of one category: exactly one of `repaired` and `publicity` is set."""

    category: str
    repaired: str | None
    """Bool field: true shuts the record out."""
    publicity: Publicity | None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of law, with its date and source."""

    code: str
    text: str
    effective: str
    """ISO 8601; the rule holds on this day and after it."""
    source: str
    applies: tuple[Application, ...]
    """How the data side carries it out on records; empty where it shaped the catalogue itself (a list of grades)."""


@dataclass(frozen=True, slots=True)
class Step:
    """A value and since when."""

    first: str
    """The first month it holds in, such as 2025-01."""
    value: float

    @property
    def month(self) -> int:
        """yyyymm."""
        return int(self.first.replace("-", ""))


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that an authority publishes anew from time to time and features are computed with."""

    code: str
    text: str
    unit: str
    source: str
    recalled: bool
    """It was written down from memory: the holder checks it against the published text before relying on it."""
    steps: tuple[Step, ...]
    """At least one, rising; the first one also holds for the months before it."""

    def at(self, month: int) -> float:
        """The value of a month, yyyymm."""
        held = [step.value for step in self.steps if step.month <= month]
        return held[-1] if held else self.steps[0].value


@dataclass(frozen=True)
class Layout:
    """Feature cell to index of the model polynomial, in file order without gaps."""

    features: tuple[Feature, ...]

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        starts, total = [], 0
        for feature in self.features:
            starts.append(total)
            total += len(feature.cells)
        return tuple(starts)

    @cached_property
    def size(self) -> int:
        """D: all cells of all features."""
        return sum(len(feature.cells) for feature in self.features)

    @cached_property
    def _start(self) -> dict[str, int]:
        return {f.code: start for f, start in zip(self.features, self.offsets, strict=True)}

    def index(self, feature: str, cell: int) -> int:
        """Raises `UnknownFeature`, or `CatalogueError` for a cell the feature lacks."""
        if feature not in self._start:
            raise UnknownFeature(feature, "no such feature in this catalogue")
        start = self._start[feature]
        count = len(self.features[self.offsets.index(start)].cells)
        if not 0 <= cell < count:
            raise CatalogueError(feature, f"has cells 0 to {count - 1}")
        return start + cell

    def locate(self, index: int) -> tuple[Feature, Cell]:
        """The inverse of `index`."""
        if not 0 <= index < self.size:
            raise CatalogueError("layout", f"has indices 0 to {self.size - 1}")
        at = bisect_right(self.offsets, index) - 1
        return self.features[at], self.features[at].cells[index - self.offsets[at]]


@dataclass(frozen=True)
class Catalogue:
    code: str
    version: str
    title: Text
    provenance: str
    common_fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    figures: tuple[Figure, ...]
    categories: tuple[Category, ...]
    canonical: bytes
    """Canonical JSON: sorted keys, UTF-8, no insignificant white space."""

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of `canonical`; models, authorizations and receipts name it."""
        return sha256(self.canonical).hexdigest()

    @property
    def reference(self) -> str:
        return f"{self.code}@{self.version}"

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        return tuple(feature for category in self.categories for feature in category.features)

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.features)

    @cached_property
    def _categories(self) -> dict[str, Category]:
        return {category.code: category for category in self.categories}

    @cached_property
    def _features(self) -> dict[str, Feature]:
        return {feature.code: feature for feature in self.features}

    def figure(self, code: str) -> Figure:
        """Raises `UnknownFigure`."""
        for figure in self.figures:
            if figure.code == code:
                return figure
        raise UnknownFigure(code, "no such figure in this catalogue")

    def category(self, code: str) -> Category:
        """Raises `UnknownCategory`."""
        if code not in self._categories:
            raise UnknownCategory(code, "no such category in this catalogue")
        return self._categories[code]

    def feature(self, code: str) -> Feature:
        """Raises `UnknownFeature`."""
        if code not in self._features:
            raise UnknownFeature(code, "no such feature in this catalogue")
        return self._features[code]
