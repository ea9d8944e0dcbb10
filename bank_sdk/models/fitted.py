"""Reading a fitted optbinning scorecard without importing optbinning.

Cut points come from `.splits`, never from the labels of the table, which are rounded for display. Points come from the
table by position: value bins by rising split, then Special, then Missing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature

from bank_sdk.errors import BinOverlap, ImportRefused, UnknownFeature, UnsupportedObjective
from bank_sdk.models.tables import Bin, Policy, Rounding, fill_cells, whole

Probe = dict[str, float | None]
"""Variable name -> value; None is missing."""


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    name: str
    feature: Feature
    splits: tuple[float, ...]

    def probes(self) -> tuple[float | None, ...]:
        """Both ends of every bin, and missing: the smallest double above an edge's left neighbour is its own bin."""
        if not self.splits:
            return (0.0, None)
        inside = [value for split in self.splits for value in (math.nextafter(split, -math.inf), split)]
        return (*inside, None)


@dataclass(frozen=True, slots=True, eq=False)
class Imported:
    """Points read from a fitted scorecard, not yet held against it."""

    fitted: Any
    variables: tuple[Variable, ...]
    points: dict[str, tuple[int, ...]]
    base_points: int
    tolerance: float
    """0 when the points were whole; else what rounding each of them can add up to."""

    def check_parity(self, score: Callable[[Mapping[str, float | CellKind]], int]) -> None:
        """Hold `score` against `fitted.score` in every bin of every variable. Raises `ImportRefused`."""
        probes = [{v.name: v.probes()[0] for v in self.variables}]
        for variable in self.variables:
            probes += [{**probes[0], variable.name: value} for value in variable.probes()[1:]]
        theirs = self._their_scores(probes)
        for probe, their in zip(probes, theirs, strict=True):
            ours = score({v.feature.code: _value(probe[v.name]) for v in self.variables})
            if not abs(ours - their) <= self.tolerance:
                raise ImportRefused(
                    f"the table and score() of the fitted object disagree ({ours} and {their}); nothing was imported"
                )

    def _their_scores(self, probes: Sequence[Probe]) -> list[float]:
        names = text_list(self.fitted.binning_process_.variable_names)
        columns = {
            name: [float("nan") if (value := probe.get(name, 0.0)) is None else value for probe in probes]
            for name in names
        }
        # The fitted object wants a DataFrame; its own table is one, so the type need not be imported.
        frame = type(self.fitted.table())(columns)
        return [float(value) for value in self.fitted.score(frame)]


def read_fitted(
    fitted: Any,
    catalogue: Catalogue,
    features: Mapping[str, str],
    policies: Mapping[CellKind, Policy],
    rounding: Rounding,
) -> Imported:
    """Raises a `ScorecardError`; see `Scorecard.from_optbinning`."""
    refuse_numeric_target(fitted)
    try:
        process = fitted.binning_process_
        names = text_list(process.get_support(names=True))
        rows = fitted.table(style="detailed")
        by_variable = points_by_variable(text_list(rows["Variable"]), list(rows["Points"]))
        intercept = getattr(fitted, "intercept_", 0)
    except (AttributeError, KeyError, TypeError) as error:
        raise ImportRefused("not a fitted optbinning Scorecard; fit it first") from error
    variables, points = [], {}
    for name in names:
        variable = _variable(process.get_binned_variable(name), name, catalogue, features.get(name, name))
        if variable.feature.code in points:
            raise BinOverlap(f"{variable.feature.code}: two variables are mapped to it")
        variables.append(variable)
        points[variable.feature.code] = _cells(variable, by_variable.get(name, []), policies, rounding)
    base = whole("intercept", scalar(intercept), rounding)
    every = [scalar(value) for row in by_variable.values() for value in row] + [scalar(intercept)]
    exact = all(value == round(value) for value in every)
    return Imported(fitted, tuple(variables), points, base, 0.0 if exact else 0.5 * (len(names) + 1) + 1e-6)


def _variable(binned: Any, name: str, catalogue: Catalogue, code: str) -> Variable:
    if getattr(binned, "dtype", None) != "numerical":
        raise ImportRefused(f"{name}: is categorical; the catalogue's features are numbers")
    if getattr(binned, "special_codes", None) is not None:
        raise ImportRefused(f"{name}: has special codes, which no feature of the catalogue uses; fit without them")
    try:
        feature = catalogue.feature(code)
    except CatalogueError as error:
        raise UnknownFeature(code) from error
    return Variable(name, feature, tuple(float(split) for split in binned.splits))


def _cells(
    variable: Variable, points: Sequence[Any], policies: Mapping[CellKind, Policy], rounding: Rounding
) -> tuple[int, ...]:
    if len(points) != len(variable.splits) + 3:
        raise ImportRefused(f"{variable.name}: the table has {len(points)} rows for {len(variable.splits)} splits")
    rounded = [whole(variable.name, scalar(value), rounding) for value in points]
    edges = (-math.inf, *variable.splits, math.inf)
    bins = [Bin(edges[i], edges[i + 1], rounded[i]) for i in range(len(edges) - 1)]
    return fill_cells(variable.feature, bins, {CellKind.MISSING: rounded[-1]}, policies)


def refuse_numeric_target(fitted: Any) -> None:
    """A scorecard of a linear regression predicts a number: no odds, and no probability of default."""
    if getattr(fitted, "_target_dtype", None) == "continuous":
        raise UnsupportedObjective(
            "its target is a number, not good against bad", place=type(fitted).__name__, mend="fit a binary target"
        )


def points_by_variable(names: Sequence[str], points: Sequence[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for name, value in zip(names, points, strict=True):
        found.setdefault(name, []).append(value)
    return found


def text_list(values: Any) -> list[str]:
    return [str(value) for value in values]


def scalar(value: Any) -> float:
    """A number, or an array of one."""
    try:
        number = float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError) as error:
        raise ImportRefused("the fitted object holds points that are no numbers") from error
    if not math.isfinite(number):
        raise ImportRefused("the fitted object holds points that are no numbers")
    return number


def _value(value: float | None) -> float | CellKind:
    return CellKind.MISSING if value is None else value
