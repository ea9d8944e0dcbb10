"""The plain table: columns feature, points, and lower and upper, or cell."""

import math
from os import PathLike
from types import MappingProxyType
from typing import Any, Final

from xinyidai.catalogue import CellKind

from bank_sdk.errors import BinOverlap, TableInvalid
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.rows import Row, csv_rows, empty, live_rows, number
from bank_sdk.models.importers.source import RawFile, Source, read
from bank_sdk.models.importers.terms import Characteristic, Step, cover
from bank_sdk.models.tables import NO_VALUE

COLUMNS: Final = frozenset(("feature", "points"))


def from_csv(table: Any, *, base_points: float = 0.0) -> Import:
    """A table as `Scorecard.from_table` takes it, by path or bytes of a CSV file, as mappings or a DataFrame.

    Here `feature` may be a name of the bank's own, edges may lie off the grid and points may be fractions: `plan` maps,
    moves and rounds as it is told. Raises `TableInvalid`, `FileMalformed`, `BinGap` or `BinOverlap`.
    """
    if isinstance(table, str | bytes | PathLike):
        return read_csv(read(table), base_points)
    return _read(live_rows(table), Source("points table"), base_points)


def read_csv(file: RawFile, base_points: float = 0.0) -> Import:
    return _read(csv_rows(file), file.source("points table"), base_points)


def _read(rows: list[Row], source: Source, base_points: float) -> Import:
    steps: dict[str, list[Step]] = {}
    cells: dict[str, dict[CellKind, float]] = {}
    for at, row in enumerate(rows, start=1):
        place = f"{source.name or 'table'}, row {at}"
        name = row.get("feature")
        if not isinstance(name, str) or not name:
            raise TableInvalid("column feature must name a feature", place=place)
        points = number(row.get("points"), f"{place}, points")
        steps.setdefault(name, [])
        kind = _kind(row, f"{place}, {name}")
        known = cells.setdefault(name, {})
        if kind is None:
            steps[name].append(Step(*_bounds(row, f"{place}, {name}"), points))
        elif kind in known:
            raise BinOverlap(f"the {kind} cell is given twice", place=f"{place}, {name}")
        else:
            known[kind] = points
    table = source.name or "table"
    found = [
        Characteristic(
            name, f"{table}, {name}", cover(steps[name], f"{table}, {name}"), {}, MappingProxyType(cells[name])
        )
        for name in steps
    ]
    return Import(source, "points", tuple(found), number(base_points, "base_points"))


def _kind(row: Row, place: str) -> CellKind | None:
    label = row.get("cell")
    if empty(label):
        return None
    if label not in NO_VALUE:
        raise TableInvalid("cell is " + ", ".join(NO_VALUE) + ", or empty", place=place)
    if not (empty(row.get("lower")) and empty(row.get("upper"))):
        raise TableInvalid(f"a row for the {label} cell has no lower and upper", place=place)
    return CellKind(label)


def _bounds(row: Row, place: str) -> tuple[float, float]:
    """A NaN is refused: an open end must be said, and never inferred from a hole in the data."""
    ends = []
    for column, open_end in (("lower", -math.inf), ("upper", math.inf)):
        if column not in row:
            raise TableInvalid(f"column {column} is missing", place=place)
        raw = row[column]
        try:
            end = open_end if raw is None or raw == "" else float(raw)
        except (TypeError, ValueError, OverflowError):
            end = math.nan
        if math.isnan(end) or isinstance(raw, bool):
            raise TableInvalid(f"{column} must be a number", place=place, mend=f"write {open_end} for an open end")
        ends.append(end)
    if not ends[0] < ends[1]:
        raise TableInvalid("lower must lie below upper", place=place)
    return ends[0], ends[1]
