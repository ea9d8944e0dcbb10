"""A points scorecard on a catalogue, in whole numbers, with its plaintext twin and the proof that it fits.

Terms: a characteristic is a feature, an attribute is one of its cells, points are what a cell adds to the score.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature
from xinyidai.parameters import LINEAR_4096_T1024, ParameterSet

from bank_sdk.errors import InputError, PointsInvalid, PointsOverflow, TableInvalid, UnknownFeature
from bank_sdk.models.fitted import read_fitted
from bank_sdk.models.tables import Policy, Rounding, Table, read_table, whole


@dataclass(frozen=True, slots=True)
class CategoryRange:
    """What one category of the catalogue adds to a score, over all its features in the scorecard."""

    offset: int
    """Sum of the features' smallest points: added after decryption."""
    span: int
    """Largest total after the offset."""
    withheld: int
    """Sum of the points of the not-authorized cells: what the category adds when it is not authorized."""


@dataclass(frozen=True, slots=True)
class OverflowProof:
    """No record, whatever its cells, makes the encrypted total reach the plaintext modulus.

    The encrypted points of a cell are its points minus the smallest of its feature, so they are 0 or more; exactly one
    cell of each feature is active, so the total is at most the sum of the features' spans.
    """

    parameter_set: str
    spans: Mapping[str, int]
    """Largest minus smallest points of each feature."""
    largest: int
    """Sum of the spans: the largest possible total after the offsets."""
    plain_modulus: int

    @property
    def headroom(self) -> int:
        """Points to spare. An answer known to within h points needs 2 * h of them."""
        return self.plain_modulus - 1 - self.largest


@dataclass(frozen=True, repr=False)
class Scorecard:
    """An immutable scorecard. Features it does not name add nothing.

    `points` holds, for each feature, one integer a cell in the order of `Feature.cells`: value cells by rising grid,
    then missing, not applicable, not authorized. The points are the bank's secret: printing shows none.
    """

    name: str
    catalogue: Catalogue
    points: Mapping[str, Sequence[int]]
    base_points: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 128:
            raise TableInvalid("the name of a scorecard has 1 to 128 characters")
        if not self.points:
            raise TableInvalid("the scorecard has no feature")
        unknown = set(self.points) - {feature.code for feature in self.catalogue.features}
        if unknown:
            raise UnknownFeature(min(unknown))
        ordered: dict[str, tuple[int, ...]] = {}
        for feature in self.catalogue.features:
            if feature.code in self.points:
                ordered[feature.code] = _checked(feature, self.points[feature.code])
        object.__setattr__(self, "points", MappingProxyType(ordered))
        object.__setattr__(self, "base_points", whole("base_points", self.base_points, "refuse"))

    @classmethod
    def from_table(
        cls,
        rows: Table,
        catalogue: Catalogue,
        *,
        name: str,
        base_points: int = 0,
        missing: Policy = "require",
        not_applicable: Policy = "require",
        not_authorized: Policy = "require",
        rounding: Rounding = "refuse",
    ) -> "Scorecard":
        """Take over a points table exactly, or refuse it.

        `rows`: mappings, a pandas DataFrame or the path of a CSV file in UTF-8, with the columns `feature`, `points`,
        and either `lower` and `upper` (value bins [lower, upper); None, empty or an infinity is an open end) or `cell`
        ("missing", "not_applicable", "not_authorized"). Other columns are ignored. The policies give points to cells
        the table has no row for; "require" refuses instead. `rounding="nearest"` rounds points, halves to even.

        Raises a `ScorecardError`: every edge must stand on the feature's public grid, bins must cover every value
        exactly once, points must be whole numbers.
        """
        policies = {
            CellKind.MISSING: missing,
            CellKind.NOT_APPLICABLE: not_applicable,
            CellKind.NOT_AUTHORIZED: not_authorized,
        }
        return cls(name, catalogue, read_table(rows, catalogue, policies, rounding), base_points)

    @classmethod
    def from_optbinning(
        cls,
        fitted: Any,
        catalogue: Catalogue,
        *,
        name: str = "optbinning scorecard",
        features: Mapping[str, str] | None = None,
        not_applicable: Policy = "require",
        not_authorized: Policy = "require",
        rounding: Rounding = "refuse",
    ) -> "Scorecard":
        """Take over a fitted `optbinning.Scorecard` held in memory; its missing bin becomes the missing cell.

        `features`: variable name -> feature code, where they differ. Fit with `rounding=True` for whole points, and
        with `user_splits` on the public grid. Before it returns, the result is held against `fitted.score` in every
        bin. Raises `ImportRefused` for categorical variables and special codes, and every other `ScorecardError`.
        """
        policies = {CellKind.NOT_APPLICABLE: not_applicable, CellKind.NOT_AUTHORIZED: not_authorized}
        imported = read_fitted(fitted, catalogue, features or {}, policies, rounding)
        scorecard = cls(name, catalogue, imported.points, imported.base_points)
        imported.check_parity(scorecard.score)
        return scorecard

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical JSON of everything that makes the score; the name is not part of it."""
        document = {
            "kind": "scorecard/v1",
            "catalogue": self.catalogue.digest,
            "base_points": self.base_points,
            "points": {code: list(row) for code, row in self.points.items()},
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def offset(self) -> int:
        """score = decrypted total + offset."""
        return self.base_points + sum(min(row) for row in self.points.values())

    @cached_property
    def category_ranges(self) -> Mapping[str, CategoryRange]:
        """For every category with a feature in this scorecard."""
        found: dict[str, CategoryRange] = {}
        for code, row in self.points.items():
            feature = self.catalogue.feature(code)
            so_far = found.get(feature.category, CategoryRange(0, 0, 0))
            found[feature.category] = CategoryRange(
                so_far.offset + min(row),
                so_far.span + max(row) - min(row),
                so_far.withheld + row[feature.not_authorized],
            )
        return MappingProxyType(found)

    def prove(self, parameters: ParameterSet = LINEAR_4096_T1024) -> OverflowProof:
        """Raises `PointsOverflow` with the numbers when the largest total does not fit below the plaintext modulus."""
        spans = {code: max(row) - min(row) for code, row in self.points.items()}
        largest = sum(spans.values())
        if largest >= parameters.plain_modulus:
            raise PointsOverflow(largest, parameters.plain_modulus - 1)
        return OverflowProof(parameters.name, MappingProxyType(spans), largest, parameters.plain_modulus)

    def vector(self, parameters: ParameterSet = LINEAR_4096_T1024) -> NDArray[np.int64]:
        """Points after the offsets by layout index, shape (D,), each 0..t-1. Raises `PointsOverflow`."""
        self.prove(parameters)
        vector = np.zeros(self.catalogue.layout.size, np.int64)
        for code, row in self.points.items():
            start = self.catalogue.layout.index(code, 0)
            vector[start : start + len(row)] = np.array(row, np.int64) - min(row)
        return vector

    def score(self, values: Mapping[str, float | CellKind]) -> int:
        """The plaintext twin: what the service answers for these feature values.

        `values`: for every feature of the scorecard a number in the catalogue's unit, or the kind of a cell that is no
        value. Raises `InputError` for a feature left out, a NaN or an unknown name.
        """
        for code in values:
            if code not in self.points:
                self._feature(code)
        return self.base_points + sum(
            row[_cell(self.catalogue.feature(code), values)] for code, row in self.points.items()
        )

    def score_cells(self, cells: Sequence[int]) -> int:
        """The same from cell indices, one for each feature of the catalogue in its order, as the enclave holds them."""
        if len(cells) != len(self.catalogue.features):
            raise InputError(f"give {len(self.catalogue.features)} cells, one for each feature of the catalogue")
        total = self.base_points
        for feature, cell in zip(self.catalogue.features, cells, strict=True):
            if not 0 <= cell < len(feature.cells):
                raise InputError(f"{feature.code}: has cells 0 to {len(feature.cells) - 1}")
            total += self.points[feature.code][cell] if feature.code in self.points else 0
        return total

    def _feature(self, code: str) -> Feature:
        try:
            return self.catalogue.feature(code)
        except CatalogueError as error:
            raise UnknownFeature(code) from error

    def __repr__(self) -> str:
        return f"Scorecard({self.name!r}, {len(self.points)} features on {self.catalogue.reference}, **redacted**)"


def _checked(feature: Feature, row: Sequence[int]) -> tuple[int, ...]:
    if len(row) != len(feature.cells):
        raise PointsInvalid(f"{feature.code}: give points for {len(feature.cells)} cells, not {len(row)}")
    return tuple(whole(feature.code, value, "refuse") for value in row)


def _cell(feature: Feature, values: Mapping[str, float | CellKind]) -> int:
    value = values.get(feature.code)
    if value is None:
        raise InputError(f"{feature.code}: no value; say CellKind.MISSING if it is missing")
    if isinstance(value, CellKind):
        if value is CellKind.VALUE:
            raise InputError(f"{feature.code}: give the value itself")
        return len(feature.grid) + 1 + (CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED).index(value)
    try:
        return feature.cell_of(value)
    except (CatalogueError, TypeError) as error:
        raise InputError(f"{feature.code}: not a number; say CellKind.MISSING if it is missing") from error
