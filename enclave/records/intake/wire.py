"""The content of a batch as a table: bounded, valid Arrow, every column typed as the catalogue says or text."""

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN, MAX_BATCH_ROWS, BatchFormat
from xinyidai.catalogue import Field

from enclave.records.intake.texts import as_bytes, is_text

MAX_UNPACKED_BYTES: Final = 4 * 1024**3
"""Of a batch in memory. A file that lies about its pages can pass it by what is unpacked in one step, a piece a column,
before it is noticed."""
_PIECE_ROWS: Final = 65_536
_TOO_LARGE: Final = f"a batch has at most {MAX_BATCH_ROWS} rows and 4 GiB unpacked; split the file"


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
    with pq.ParquetFile(pa.BufferReader(content)) as file:
        metadata, schema = file.metadata, file.schema_arrow
    groups = (metadata.row_group(at) for at in range(metadata.num_row_groups))
    if metadata.num_rows > MAX_BATCH_ROWS or sum(group.total_byte_size for group in groups) > MAX_UNPACKED_BYTES:
        raise ContentError(_TOO_LARGE)
    # Text as dictionaries first: a file counts a text once that stands in millions of rows, and so must the reader,
    # until it is known how much all of them take.
    texts = [field.name for field in schema if is_text(field.type)]
    pieces, unpacked = [], 0
    with pq.ParquetFile(pa.BufferReader(content), read_dictionary=texts) as file:
        for piece in file.iter_batches(_PIECE_ROWS):
            unpacked += sum(_written_out(column) for column in piece.columns)
            if unpacked > MAX_UNPACKED_BYTES:
                raise ContentError(_TOO_LARGE)
            plain = [_plain(column, field.type) for column, field in zip(piece.columns, schema, strict=True)]
            pieces.append(pa.RecordBatch.from_arrays(plain, schema=schema))
    return pa.Table.from_batches(pieces, schema)


def _written_out(column: Any) -> int:
    """Bytes of a column once every row has its own text."""
    if not types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = pc.binary_length(column.dictionary).cast(pa.int64())
    return pc.sum(lengths.take(column.indices)).as_py() or 0


def _plain(column: Any, kind: Any) -> Any:
    return column.dictionary_decode().cast(kind) if types.is_dictionary(column.type) else column


def _arrow(content: Any) -> pa.Table:
    batches, rows, unpacked = [], 0, 0
    with pa.ipc.open_stream(pa.BufferReader(content)) as stream:
        for batch in stream:
            rows += batch.num_rows
            unpacked += batch.get_total_buffer_size()
            if rows > MAX_BATCH_ROWS or unpacked > MAX_UNPACKED_BYTES:
                raise ContentError(_TOO_LARGE)
            for column in batch.columns:
                _check_structure(column)
            batches.append(batch)
        return pa.Table.from_batches(batches, stream.schema)


def _check_structure(column: Any) -> None:
    """A stream says how many values a buffer holds and where each text begins, and Arrow believes it: without this,
    whatever lies in memory behind the batch would be read as part of it. Raises `ArrowInvalid`."""
    column.validate()
    (as_bytes(column) if is_text(column.type) else column).validate(full=True)


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
