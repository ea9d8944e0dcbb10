"""Files as pieces of a batch: CSV, JSON Lines, Parquet. Read in bounded memory, whatever the file holds.

A row's line is the one of the file it begins at, the heading of a CSV file being 1. A line that cannot be taken apart
becomes an empty row with a fault, so that the report of the data domain tells of every line of the file.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray
from xinyidai.batches import MAX_TEXT_CHARACTERS, RowFault
from xinyidai.catalogue import Field

from clients.uploader.columns import RowMarks, assemble, check_names, decode_column, wire_column
from clients.uploader.errors import UnreadableFile
from clients.uploader.lines import SafeLines

ENCODINGS: Final = ("utf-8", "gb18030")
_BLOCK_BYTES: Final = 32 * 1024 * 1024
"""What the CSV reader takes at once; no row `SafeLines` lets through comes near."""
_MAX_HEADING: Final = 64 * 1024
_MAX_JSON_LINE: Final = 1024 * 1024
_PIECE_ROWS: Final = 65_536
_BOM: Final = b"\xef\xbb\xbf"


class FileFormat(StrEnum):
    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"

    @classmethod
    def of(cls, path: Path) -> "FileFormat":
        """By the name's ending. Raises `UnreadableFile`."""
        known = {".csv": cls.CSV, ".jsonl": cls.JSON_LINES, ".ndjson": cls.JSON_LINES, ".parquet": cls.PARQUET}
        if path.suffix.lower() not in known:
            raise UnreadableFile("文件须为 / the file must be .csv, .jsonl, .ndjson or .parquet")
        return known[path.suffix.lower()]


def read_pieces(
    path: Path, form: FileFormat, fields: tuple[Field, ...], department: str, encoding: str
) -> Iterator[pa.Table]:
    """Pieces of any size, in the order of the file. Raises `UnreadableFile` or `OSError`."""
    if encoding not in ENCODINGS:
        raise UnreadableFile(f"编码须为 / the encoding must be one of: {', '.join(ENCODINGS)}")
    readers: dict[FileFormat, Callable[[], Iterator[pa.Table]]] = {
        FileFormat.CSV: lambda: _csv(path, fields, department, encoding),
        FileFormat.JSON_LINES: lambda: _json_lines(path, fields, department, encoding),
        FileFormat.PARQUET: lambda: _parquet(path, fields, department),
    }
    try:
        yield from readers[form]()
    except pa.ArrowException as error:
        raise UnreadableFile(f"无法读取 / cannot be read as {form}: {type(error).__name__}") from None


def _heading(path: Path, encoding: str) -> list[str]:
    with path.open("rb") as file:
        raw = file.readline(_MAX_HEADING + 1)
    if len(raw) > _MAX_HEADING:
        raise UnreadableFile("首行过长 / the heading is too long")
    try:
        return next(csv.reader([raw.removeprefix(_BOM).decode(encoding)]), [])
    except (UnicodeDecodeError, csv.Error):
        raise UnreadableFile("首行无法解码,请检查编码 / the heading does not decode; name the encoding") from None


class _Numbering:
    """Numbers for the rows a CSV reader returns, from those it says it passed over."""

    def __init__(self) -> None:
        self._passed: list[int] = []
        self._next = 2

    def passed(self, number: int) -> None:
        self._passed.append(number)

    def take(self, count: int) -> NDArray[np.int64]:
        """Of the next `count` rows. Everything passed over before them must have been told."""
        span = np.arange(self._next, self._next + count + len(self._passed), dtype=np.int64)
        numbers = span[~np.isin(span, self._passed)][:count]
        if count:
            self._next = int(numbers[-1]) + 1
        self._passed = [number for number in self._passed if number >= self._next]
        return numbers


def _csv(path: Path, fields: tuple[Field, ...], department: str, encoding: str) -> Iterator[pa.Table]:
    names = _heading(path, encoding)
    check_names(names, fields)
    numbering, broken = _Numbering(), list[int]()

    def set_aside(row: Any) -> str:
        numbering.passed(row.number)
        broken.append(row.number)
        return "skip"

    with path.open("rb") as file:
        safe = SafeLines(file, len(names))
        reader = pacsv.open_csv(
            io.BufferedReader(safe, _BLOCK_BYTES),
            read_options=pacsv.ReadOptions(column_names=names, skip_rows=1, block_size=_BLOCK_BYTES, use_threads=False),
            parse_options=pacsv.ParseOptions(
                newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=set_aside
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.binary()), strings_can_be_null=False, check_utf8=False
            ),
        )
        for batch in reader:
            lines = numbering.take(batch.num_rows)
            columns = dict(zip(names, batch.columns, strict=True))
            yield _text_piece(columns, safe.numbered(lines), fields, department, encoding)
    if broken:
        lines = safe.numbered(np.array(broken, np.int64))
        yield _faulty_piece(lines, RowFault.COLUMN_COUNT, fields, department)


def _text_piece(
    columns: dict[str, Any], lines: NDArray[np.int64], fields: tuple[Field, ...], department: str, encoding: str
) -> pa.Table:
    marks = RowMarks(len(lines))
    texts = {name: decode_column(raw, encoding, marks) for name, raw in columns.items()}
    piece = assemble(texts, lines, marks, fields, department)
    blank = np.ones(len(lines), np.bool_)
    for raw in columns.values():
        blank &= pc.equal(pc.binary_length(raw), 0).to_numpy(zero_copy_only=False)
    return piece.filter(pa.array(~blank)) if blank.any() else piece


def _faulty_piece(lines: NDArray[np.int64], fault: RowFault, fields: tuple[Field, ...], department: str) -> pa.Table:
    marks = RowMarks(len(lines))
    marks.mark(np.ones(len(lines), np.bool_), fault)
    empty = {field.name: pa.nulls(len(lines), pa.string()) for field in fields}
    return assemble(empty, lines, marks, fields, department)


def _json_lines(path: Path, fields: tuple[Field, ...], department: str, encoding: str) -> Iterator[pa.Table]:
    names = [field.name for field in fields]
    rows: list[dict[str, str | None]] = []
    lines: list[int] = []
    faults: list[str | None] = []
    for number, raw in enumerate(_bounded_lines(path), start=1):
        if raw is not None and not raw.strip():
            continue
        row, fault = _json_row(raw, set(names), encoding)
        rows.append(row)
        lines.append(number)
        faults.append(fault)
        if len(rows) == _PIECE_ROWS:
            yield _json_piece(rows, lines, faults, fields, department)
            rows, lines, faults = [], [], []
    if rows:
        yield _json_piece(rows, lines, faults, fields, department)


def _bounded_lines(path: Path) -> Iterator[bytes | None]:
    """None for a line that is too long; its bytes are passed over."""
    with path.open("rb") as file:
        while raw := file.readline(_MAX_JSON_LINE):
            if raw.endswith(b"\n") or len(raw) < _MAX_JSON_LINE:
                yield raw
                continue
            while (rest := file.readline(_MAX_JSON_LINE)) and not rest.endswith(b"\n"):
                pass
            yield None


def _json_row(raw: bytes | None, names: set[str], encoding: str) -> tuple[dict[str, str | None], str | None]:
    if raw is None:
        return {}, RowFault.TOO_LONG
    try:
        # Numbers stay as they are written: a decimal must not pass through a float.
        value = json.loads(raw.removeprefix(_BOM).decode(encoding), parse_float=str, parse_int=str)
    except UnicodeDecodeError:
        return {}, RowFault.ENCODING
    except (ValueError, RecursionError):
        return {}, RowFault.TYPE
    if not isinstance(value, dict) or set(value) - names:
        return {}, RowFault.COLUMN_COUNT
    if any(isinstance(one, dict | list) for one in value.values()):
        return {}, RowFault.TYPE
    if any(isinstance(one, str) and len(one) > MAX_TEXT_CHARACTERS for one in value.values()):
        return {}, RowFault.TOO_LONG
    return {name: _json_text(one) for name, one in value.items()}, None


def _json_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):  # NaN and Infinity, which JSON does not have
        return str(value)
    # A lone surrogate is no text; it becomes the sign the data domain takes for a broken encoding.
    return None if value is None else value.encode("utf-8", "replace").decode() if _lone(value) else value


def _lone(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _json_piece(
    rows: list[dict[str, str | None]],
    lines: list[int],
    faults: list[str | None],
    fields: tuple[Field, ...],
    department: str,
) -> pa.Table:
    marks = RowMarks(len(rows))
    for fault in {one for one in faults if one is not None}:
        marks.mark(np.array([one == fault for one in faults]), RowFault(fault))
    given = {name for row in rows for name in row}
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], pa.string())
        for field in fields
        if field.name in given or field.name not in ("recv_time", "source_dept")
    }
    return assemble(columns, np.array(lines, np.int64), marks, fields, department)


def _parquet(path: Path, fields: tuple[Field, ...], department: str) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        names = file.schema_arrow.names
        check_names(names, fields)
        by_name = {field.name: field for field in fields}
        start = 1
        for batch in file.iter_batches(batch_size=_PIECE_ROWS):
            marks = RowMarks(batch.num_rows)
            columns = {
                name: wire_column(column, by_name[name], marks)
                for name, column in zip(names, batch.columns, strict=True)
            }
            lines = np.arange(start, start + batch.num_rows, dtype=np.int64)
            start += batch.num_rows
            yield assemble(columns, lines, marks, fields, department)
