"""From a table of bins and points to points a cell: exact, or refused."""

import csv
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature

from bank_sdk.errors import (
    BinGap,
    BinOverlap,
    EdgeNotOnGrid,
    MissingPolicyRequired,
    PointsInvalid,
    TableInvalid,
    UnknownFeature,
)

Policy = Literal["require"] | int
Rounding = Literal["refuse", "nearest"]


@runtime_checkable
class Frame(Protocol):
    """A pandas DataFrame, as far as it matters here; pandas is never imported."""

    @property
    def columns(self) -> Any: ...

    def to_dict(self, orient: Literal["records"]) -> list[Any]: ...


Table = Iterable[Mapping[str, Any]] | Path | str | Frame
"""Mappings, the path of a CSV file, or a DataFrame."""

MAX_ROWS: Final = 100_000
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_POINTS: Final = 1_000_000_000
NO_VALUE: Final = (CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED)
"""In the order of `Feature.cells`, after the value cells."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Values from `lower`, inclusive, to `upper`, exclusive."""

    lower: float
    upper: float
    points: int


def read_table(
    rows: Table, catalogue: Catalogue, policies: Mapping[CellKind, Policy], rounding: Rounding
) -> dict[str, tuple[int, ...]]:
    """Points of every cell of every feature the table names. Raises a `ScorecardError`."""
    bins: dict[str, list[Bin]] = {}
    labelled: dict[str, dict[CellKind, int]] = {}
    for number, row in enumerate(_records(rows), start=1):
        if number > MAX_ROWS:
            raise TableInvalid(f"a table has at most {MAX_ROWS} rows")
        code = _feature_code(row, number)
        points = whole(f"row {number}, {code}", row.get("points"), rounding)
        bins.setdefault(code, [])
        kind = _label(row, number, code)
        if kind is None:
            bins[code].append(Bin(*_bounds(row, number, code), points))
            continue
        cells = labelled.setdefault(code, {})
        if kind in cells:
            raise BinOverlap(f"row {number}, {code}: the {kind} cell is given twice")
        cells[kind] = points
    if not bins:
        raise TableInvalid("the table has no row")
    return {code: fill_cells(_find(catalogue, code), bins[code], labelled.get(code, {}), policies) for code in bins}


def fill_cells(
    feature: Feature,
    bins: Iterable[Bin],
    labelled: Mapping[CellKind, int],
    policies: Mapping[CellKind, Policy],
) -> tuple[int, ...]:
    """One integer a cell, from bins that must cover every value exactly once. Raises a `ScorecardError`."""
    ordered = sorted(bins, key=lambda entry: (entry.lower, entry.upper))
    if not ordered:
        raise BinGap(f"{feature.code}: no bin for any value")
    if ordered[0].lower != -math.inf:
        raise BinGap(f"{feature.code}: no bin for values below {ordered[0].lower:.17g}")
    for left, right in pairwise(ordered):
        if right.lower < left.upper:
            raise BinOverlap(f"{feature.code}: two bins hold {right.lower:.17g}")
        if right.lower > left.upper:
            raise BinGap(f"{feature.code}: no bin from {left.upper:.17g} to {right.lower:.17g}")
    if ordered[-1].upper != math.inf:
        raise BinGap(f"{feature.code}: no bin for values from {ordered[-1].upper:.17g}")
    values: list[int] = []
    for entry in ordered:
        end = len(feature.grid) + 1 if entry.upper == math.inf else _grid_index(feature, entry.upper) + 1
        values += [entry.points] * (end - len(values))
    return (*values, *(_no_value(feature, kind, labelled, policies) for kind in NO_VALUE))


def whole(where: str, value: Any, rounding: Rounding) -> int:
    """Points as an integer. Raises `PointsInvalid` for anything that is not a number within bounds, and for fractions
    unless `rounding` is "nearest" (halves to even, as numpy.rint)."""
    if rounding not in ("refuse", "nearest"):
        raise TableInvalid('rounding is "refuse" or "nearest"')
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
    else:
        exact = _number(value)
        if exact is None or not math.isfinite(exact):
            raise PointsInvalid(f"{where}: points must be a number")
        number = round(exact)
        if number != exact and rounding == "refuse":
            raise PointsInvalid(
                f'{where}: points {exact:.17g} are no whole number; round them, or say rounding="nearest"'
            )
    if abs(number) > MAX_POINTS:
        raise PointsInvalid(f"{where}: points are at most {MAX_POINTS} in size")
    return number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _no_value(
    feature: Feature, kind: CellKind, labelled: Mapping[CellKind, int], policies: Mapping[CellKind, Policy]
) -> int:
    if kind in labelled:
        return labelled[kind]
    policy = policies.get(kind, "require")
    if policy == "require":
        raise MissingPolicyRequired(feature.code, kind)
    return whole(f"{feature.code}, {kind}", policy, "refuse")


def _grid_index(feature: Feature, edge: float) -> int:
    at = bisect_left(feature.grid, edge)
    if at < len(feature.grid) and feature.grid[at] == edge:
        return at
    below = feature.grid[at - 1] if at else None
    above = feature.grid[at] if at < len(feature.grid) else None
    raise EdgeNotOnGrid(feature.code, edge, below, above)


def _find(catalogue: Catalogue, code: str) -> Feature:
    try:
        return catalogue.feature(code)
    except CatalogueError as error:
        raise UnknownFeature(code) from error


def _records(rows: Table) -> Iterable[Mapping[str, Any]]:
    if isinstance(rows, str | Path):
        return _read_csv(Path(rows))
    if isinstance(rows, Frame):
        return rows.to_dict("records")
    if not isinstance(rows, Iterable):
        raise TableInvalid("give mappings, a DataFrame or the path of a CSV file")
    return rows


def _read_csv(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TableInvalid(f"{path.name}: a table has at most {MAX_BYTES} bytes")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except OSError as error:
        raise TableInvalid(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableInvalid(f"{path.name}: not a CSV file in UTF-8; save it as one") from error
    for number, row in enumerate(rows, start=1):
        # An end that was forgotten is no open end.
        if None in row or any(row.get(column, "") is None for column in ("lower", "upper", "points")):
            raise TableInvalid(f"row {number}: not as many cells as columns; leave an open end empty between commas")
    return list(rows)


def _feature_code(row: Any, number: int) -> str:
    if not isinstance(row, Mapping):
        raise TableInvalid(f"row {number}: not a mapping of columns to values")
    code = row.get("feature")
    if not isinstance(code, str) or not code:
        raise TableInvalid(f"row {number}: column feature must name a feature")
    return code


def _empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _label(row: Mapping[str, Any], number: int, code: str) -> CellKind | None:
    """The cell a row is for, None for a bin of values. pandas fills a column it does not need with NaN."""
    label = row.get("cell")
    if _empty(label):
        return None
    if not isinstance(label, str) or label not in NO_VALUE:
        raise TableInvalid(f"row {number}, {code}: cell is " + ", ".join(NO_VALUE) + ", or empty")
    if not (_empty(row.get("lower")) and _empty(row.get("upper"))):
        raise TableInvalid(f"row {number}, {code}: a row for the {label} cell has no lower and upper")
    return CellKind(label)


def _bounds(row: Mapping[str, Any], number: int, code: str) -> tuple[float, float]:
    """A NaN is refused here: an open end must be said, and never inferred from a hole in the data."""
    ends = []
    for column, open_end in (("lower", -math.inf), ("upper", math.inf)):
        if column not in row:
            raise TableInvalid(f"row {number}, {code}: column {column} is missing")
        raw = row[column]
        end = open_end if raw is None or raw == "" else _number(raw)
        if end is None or math.isnan(end):
            raise TableInvalid(f"row {number}, {code}: {column} must be a number; write {open_end} for an open end")
        ends.append(end)
    if not ends[0] < ends[1]:
        raise TableInvalid(f"row {number}, {code}: lower must lie below upper")
    return ends[0], ends[1]
