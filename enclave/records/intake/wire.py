"""The content of a batch as a table: bounded, valid Arrow, every column typed as the catalogue says or text."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN, MAX_BATCH_ROWS, BatchFormat
from xinyidai.catalogue import Field

MAX_UNPACKED_BYTES: Final = 4 * 1024**3
"""Of a Parquet file, by its own account, before anything is unpacked."""


class ContentError(ValueError):
    """The content as a whole cannot be used; the text says what to do and repeats no value."""


def read_content(content: Any, form: BatchFormat, rows: int, fields: tuple[Field, ...]) -> pa.Table:
    """The columns of `fields` in order, then `_line` and `_fault` (null where absent); one chunk a column.

    `content`: a `pyarrow.Buffer` from outside. Raises `ContentError`. Text is not yet known to be valid UTF-8.
    """
    try:
        table = _parquet(content) if form is BatchFormat.PARQUET else _arrow(content)
        table = _ordered(table, fields)
        if table.num_rows != rows:
            raise ContentError("the content has another number of rows than its header says")
        return table.combine_chunks()
    except (OSError, pa.ArrowException, MemoryError, UnicodeDecodeError, KeyError):
        raise ContentError("the content cannot be read; export the file again") from None


def _parquet(content: Any) -> pa.Table:
    file = pq.ParquetFile(pa.BufferReader(content))
    groups = (file.metadata.row_group(at) for at in range(file.metadata.num_row_groups))
    unpacked = sum(group.total_byte_size for group in groups)
    if file.metadata.num_rows > MAX_BATCH_ROWS or unpacked > MAX_UNPACKED_BYTES:
        raise ContentError(f"a batch has at most {MAX_BATCH_ROWS} rows and 4 GiB unpacked; split the file")
    return file.read(use_threads=True)


def _arrow(content: Any) -> pa.Table:
    batches, rows = [], 0
    with pa.ipc.open_stream(pa.BufferReader(content)) as stream:
        for batch in stream:
            rows += batch.num_rows
            if rows > MAX_BATCH_ROWS:
                raise ContentError(f"a batch has at most {MAX_BATCH_ROWS} rows; split the file")
            batches.append(batch)
        return pa.Table.from_batches(batches, stream.schema)


def _ordered(table: pa.Table, fields: tuple[Field, ...]) -> pa.Table:
    names = table.column_names
    wanted = [*(field.name for field in fields), LINE_COLUMN]
    for name in wanted:
        if names.count(name) != 1:
            raise ContentError(f"column {name} must be there once")
    if set(names) - {*wanted, FAULT_COLUMN} or names.count(FAULT_COLUMN) > 1:
        raise ContentError("there is a column that the catalogue does not have; leave it out")
    for field in fields:
        if not _acceptable(table.schema.field(field.name).type, field.type):
            raise ContentError(f"column {field.name} is neither of the catalogue's type nor text")
    lines = table.column(LINE_COLUMN)
    if lines.type != pa.int64() or lines.null_count:
        raise ContentError(f"column {LINE_COLUMN} must be int64 and never empty")
    if FAULT_COLUMN not in names:
        table = table.append_column(FAULT_COLUMN, pa.nulls(table.num_rows, pa.string()))
    if table.schema.field(FAULT_COLUMN).type != pa.string():
        raise ContentError(f"column {FAULT_COLUMN} must be text")
    return table.select([*wanted, FAULT_COLUMN])


def is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _acceptable(kind: Any, wanted: str) -> bool:
    if is_text(kind):
        return True
    typed = {
        "int": types.is_int64,
        "yyyymm": types.is_int64,
        "date": types.is_date32,
        "bool": types.is_boolean,
        "dec": lambda k: types.is_float64(k) or types.is_int64(k) or types.is_decimal128(k),
        "datetime": lambda k: types.is_timestamp(k) and k.tz is None,
    }
    return wanted in typed and bool(typed[wanted](kind))
