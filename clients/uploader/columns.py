"""The columns of a file, put into the form a batch has: the catalogue's, in order, then `_line` and `_fault`."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN, MAX_TEXT_CHARACTERS, RowFault
from xinyidai.catalogue import ARROW_TYPES, Catalogue, Field

from clients.uploader.errors import UnreadableFile

_GIVEN: Final = ("recv_time", "source_dept")
"""A file may leave these out: the data domain writes the time of receipt, the uploader the department."""


def fields_of(catalogue: Catalogue, category: str) -> tuple[Field, ...]:
    """Raises `UnknownCategory`."""
    return (*catalogue.common_fields, *catalogue.category(category).fields)


def check_names(names: Sequence[str], fields: tuple[Field, ...]) -> None:
    """Raises `UnreadableFile` naming the first column that is missing, unknown or there twice."""
    known = {field.name for field in fields}
    for name in names:
        if name not in known:
            raise UnreadableFile(f"列 / column {name!r}: 目录中没有,请去掉 / is not in the catalogue; leave it out")
        if names.count(name) > 1:
            raise UnreadableFile(f"列 / column {name!r}: 重复 / occurs twice")
    for name in known - set(names) - set(_GIVEN):
        raise UnreadableFile(f"列 / column {name!r}: 缺少 / is missing")


class RowMarks:
    """What is wrong with rows of one piece, found before they are sent; the first fault of a row counts."""

    def __init__(self, rows: int) -> None:
        self._faults: NDArray[Any] = np.full(rows, None, dtype=object)

    def mark(self, rows: NDArray[np.bool_], fault: RowFault) -> None:
        fresh = rows & (self._faults == None)  # noqa: E711 (elementwise)
        self._faults[fresh] = str(fault)

    def column(self) -> Any:
        return pa.array(self._faults, pa.string())


def decode_column(raw: Any, encoding: str, marks: RowMarks) -> Any:
    """Bytes of a text file as text. What does not decode is left empty and marked; so is what is far too long, which
    is not sent at all."""
    raw = _without_far_too_long(raw, marks)
    if encoding == "utf-8":
        text = _as_text(raw)
        if text is not None:
            return text
    texts = [_decode(value, encoding) for value in raw.to_pylist()]
    marks.mark(np.array([text is None for text in texts]), RowFault.ENCODING)
    return pa.array([text or "" for text in texts], pa.string())


def _without_far_too_long(column: Any, marks: RowMarks) -> Any:
    """Of bytes or text; the rows are marked."""
    too_long = pc.greater(pc.binary_length(column), 4 * MAX_TEXT_CHARACTERS).fill_null(False)
    if pc.any(too_long).as_py():
        marks.mark(too_long.to_numpy(zero_copy_only=False), RowFault.TOO_LONG)
        return pc.if_else(too_long, pa.scalar("", pa.string()).cast(column.type), column)
    return column


def _as_text(raw: Any) -> Any:
    try:
        return raw.cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _decode(value: bytes | None, encoding: str) -> str | None:
    try:
        return (value or b"").decode(encoding)
    except UnicodeDecodeError:
        return None


def assemble(
    columns: dict[str, Any],
    lines: NDArray[np.int64],
    marks: RowMarks,
    fields: tuple[Field, ...],
    department: str,
) -> pa.Table:
    """One piece in the form of a batch."""
    rows = len(lines)
    arrays = [columns.get(field.name, _given(field, rows, department)) for field in fields]
    return pa.table(
        [*arrays, pa.array(lines, pa.int64()), marks.column()],
        names=[*(field.name for field in fields), LINE_COLUMN, FAULT_COLUMN],
    )


def _given(field: Field, rows: int, department: str) -> Any:
    if field.name == "source_dept":
        return pa.repeat(pa.scalar(department, pa.string()), rows)
    return pa.nulls(rows, ARROW_TYPES[field.type])


def wire_column(array: Any, field: Field, marks: RowMarks) -> Any:
    """A typed column of a Parquet file in the catalogue's type where that loses nothing, and otherwise as text, for
    the data domain to judge value by value; times are cut to microseconds. Text that is far too long is not sent.
    Raises `UnreadableFile` for a column that is neither."""
    wanted = pa.type_for_alias(ARROW_TYPES[field.type])
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        array = _without_far_too_long(array, marks)
    if array.type == wanted:
        return array
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp("us", "UTC"), safe=array.type.unit != "ns").cast(pa.timestamp("us"))
    try:
        return _widened(array, wanted) if _widens(array.type, wanted) else array.cast(pa.string())
    except pa.ArrowException:
        raise UnreadableFile(f"列 / column {field.name!r}: 类型不支持 / has a type that cannot be sent") from None


def _widened(array: Any, wanted: Any) -> Any:
    """In the wanted type; as text where that cannot hold one of the values, which is no reason to refuse the others."""
    try:
        return array.cast(wanted, safe=array.type != pa.timestamp("ns"))
    except pa.ArrowInvalid:
        return array.cast(pa.string())


def _widens(kind: Any, wanted: Any) -> bool:
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if wanted == pa.float64():
        return bool(numbers)
    if wanted == pa.int64():
        return bool(pa.types.is_integer(kind))
    return bool(pa.types.is_timestamp(kind) and wanted == pa.timestamp("us"))
