"""Rows of a table: from CSV text within bounds, from mappings, or from a DataFrame, which is never imported."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, Final

from bank_sdk.errors import FileMalformed, TableInvalid
from bank_sdk.models.importers.source import RawFile
from bank_sdk.models.tables import MAX_ROWS, Frame

Row = Mapping[str, Any]
_MAX_FIELD: Final = 4096


def csv_rows(file: RawFile) -> list[Row]:
    """Raises `FileMalformed` for anything that is not a table: quotes left open, cells without a column."""
    text = file.text()
    if "\x00" in text:
        raise FileMalformed("not a text", place=file.name)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = reader.fieldnames or []
        if len(set(names)) != len(names):
            raise FileMalformed("a column stands twice in the header", place=file.name)
        rows = list(islice(reader, MAX_ROWS + 1))
    except csv.Error as error:
        raise FileMalformed(f"not a CSV table: {error}", place=file.name) from error
    if len(rows) > MAX_ROWS:
        raise FileMalformed(f"a table has at most {MAX_ROWS} rows", place=file.name)
    for number, row in enumerate(rows, start=2):
        if None in row or any(value is None or len(value) > _MAX_FIELD for value in row.values()):
            raise FileMalformed("not as many cells as columns", place=f"{file.name}, line {number}")
    return list(rows)


def live_rows(table: Any) -> list[Row]:
    """Of mappings or a DataFrame. Raises `TableInvalid`."""
    if isinstance(table, Frame):
        table = table.to_dict("records")
    if isinstance(table, str | bytes | Mapping) or not isinstance(table, Iterable):
        raise TableInvalid("give mappings, a DataFrame or the path of a CSV file")
    rows = list(islice(table, MAX_ROWS + 1))
    if len(rows) > MAX_ROWS or not all(isinstance(row, Mapping) for row in rows):
        raise TableInvalid(f"a table has at most {MAX_ROWS} rows, each a mapping of columns to values")
    return rows


def empty(value: Any) -> bool:
    """pandas fills what a row does not need with NaN."""
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def number(value: Any, place: str) -> float:
    """Raises `FileMalformed` for anything but a finite number."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise FileMalformed(f"{str(value)[:40]!r} is no number", place=place) from error
    if isinstance(value, bool) or not math.isfinite(found):
        raise FileMalformed(f"{str(value)[:40]!r} is no finite number", place=place)
    return found
