"""What a bank says about a conversion, what is written down of it, and cut points held against the public grid."""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from xinyidai.catalogue import CellKind, Feature, FeatureKind

from bank_sdk.errors import EdgeNotOnGrid, InputError, PointsInvalid
from bank_sdk.models.importers.edges import holds_multiple
from bank_sdk.models.importers.report import EdgeChange, LostBin, PointsChange, PolicyUse
from bank_sdk.models.tables import Policy, Rounding, whole

EdgeRule = Literal["exact", "snap", "refuse"]
CellPolicy = Policy | Literal["as_missing"]
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

    def whole(self, code: str, cell: str, exact: float, rounding: Rounding) -> int:
        """A value as whole points, noted when that changes it. Raises `PointsInvalid`."""
        try:
            points = whole(f"{code}, {cell}" if code else cell, exact, rounding)
        except PointsInvalid as error:
            mend = 'say points="nearest" to round' if rounding == "refuse" else ""
            raise PointsInvalid(str(error), mend=mend) from error
        if points != exact:
            self.rounded.append(PointsChange(code, cell, exact, points))
        return points


class GridEdges:
    """Cut points of one variable on one feature."""

    def __init__(self, feature: Feature, name: str, place: str, options: Options, ledger: Ledger) -> None:
        """`name`: of the variable in the source; `place`: where it stands there."""
        self._feature = feature
        self._name = name
        self._place = place
        self._options = options
        self._ledger = ledger

    def find(self, edge: float, jump: int) -> float:
        """The grid edge used for a cut point, with what that changes written down; `jump`: see `EdgeChange`.

        Raises `EdgeNotOnGrid`, `InputError`.
        """
        grid = self._feature.grid
        at = bisect_left(grid, edge)
        if at < len(grid) and grid[at] == edge:
            return edge
        near = [grid[i] for i in (at - 1, at) if 0 <= i < len(grid)]
        if not near:
            raise EdgeNotOnGrid(self._feature.code, edge, None, None, place=self._place, mend=_MEND_EDGE)
        step = self.step()
        same = [g for g in near if step is not None and not holds_multiple(min(edge, g), max(edge, g), step)]
        chosen = same[0] if same else min(near, key=lambda g: abs(g - edge))
        rows = self._rows_between(min(edge, chosen), max(edge, chosen))
        below, above = (grid[at - 1] if at else None), (grid[at] if at < len(grid) else None)
        refusal = EdgeNotOnGrid(self._feature.code, edge, below, above, rows, place=self._place, mend=_MEND_EDGE)
        if self._options.edges == "refuse":
            raise refusal
        kind: Literal["equivalent", "snapped", "off_grid"] = "equivalent"
        if not same:
            kind = "snapped" if self._options.edges == "snap" else "off_grid"
        if kind == "off_grid":
            self._ledger.blocked.append(refusal)
        change = EdgeChange(self._name, self._feature.code, edge, chosen, kind, rows, jump if not same else 0)
        self._ledger.edges.append(change)
        return chosen

    def step(self) -> float | None:
        """The distance between values: levels and flags are whole numbers by the catalogue's own definition."""
        step = self._options.steps.get(self._name)
        if step is None:
            return None if self._feature.kind is FeatureKind.CONTINUOUS else 1.0
        if not (isinstance(step, int | float) and math.isfinite(step) and step > 0):
            raise InputError(f"{self._name}: the step of its values is a number above 0")
        return float(step)

    def _rows_between(self, lower: float, upper: float) -> int | None:
        if self._options.sample is None:
            return None
        try:
            column = self._options.sample[self._name]
        except KeyError:
            return None
        values = np.array([math.nan if value is None else value for value in column], np.float64)
        return int(((values >= lower) & (values < upper)).sum())
