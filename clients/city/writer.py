"""Arrow tables with exactly the catalogue's columns, and one Parquet file a category, written block by block."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.catalogue import ARROW_TYPES, Category, Field

from clients.city.latents import Firms
from clients.city.mess import Arrivals
from clients.city.rows import Coded, Column, Rows, numbered, texts
from clients.city.timeline import Ints, yyyymm

_METADATA: Final = {"xinyidai.synthetic": "true"}


def schema_of(fields: Sequence[Field]) -> pa.Schema:
    """Nullable columns in the given order, marked as synthetic in the metadata."""
    return pa.schema([pa.field(f.name, ARROW_TYPES[f.type]) for f in fields], metadata=_METADATA)


def _arrow(column: Column, kind: pa.DataType) -> pa.Array:
    if isinstance(column, Coded):
        return texts(column)
    if isinstance(column, np.ndarray):
        return pa.array(column, from_pandas=True).cast(kind)
    return column.cast(kind)


@dataclass(frozen=True)
class Label:
    """What the delivering department adds to its rows."""

    department: str
    slip: str | None
    """Column that wrong rows show wrongly; None: they are re-sent unchanged."""
    numbers: Ints
    """Of each row, unique in the city and category."""


def build_table(
    category: Category, schema: pa.Schema, firms: Firms, rows: Rows, arrivals: Arrivals, label: Label
) -> pa.Table:
    """The rows that arrived, as Arrow columns in the order of `schema`."""
    at = pa.array(arrivals.row)
    common: Mapping[str, Column] = {
        "uscc": firms.uscc.take(pa.array(rows.firm[arrivals.row])),
        "source_dept": texts(Coded(np.zeros(len(at), dtype=np.int64), (label.department,))),
        "record_id": numbered(f"S{category.number:02d}-", label.numbers, 12).take(at),
        "recv_time": arrivals.received,
        "data_month": yyyymm(rows.month)[arrivals.row],
    }
    arrays = []
    for field in schema:
        if field.name in common:
            arrays.append(_arrow(common[field.name], field.type))
        elif label.slip is not None and field.name == label.slip:
            arrays.append(_arrow(arrivals.amount(np.asarray(rows.columns[label.slip])), field.type))
        else:
            arrays.append(_arrow(rows.columns[field.name], field.type).take(at))
    return pa.Table.from_arrays(arrays, schema=schema)


class Files:
    """Parquet files that appear under their names only when all of them are complete."""

    def __init__(self, schemas: Mapping[Path, pa.Schema]) -> None:
        self._schemas = schemas
        self._writers: dict[Path, pq.ParquetWriter] = {}
        self._open = ExitStack()

    def __enter__(self) -> "Files":
        for path, schema in self._schemas.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[path] = self._open.enter_context(pq.ParquetWriter(_partial(path), schema, compression="zstd"))
        return self

    def write(self, path: Path, table: pa.Table) -> None:
        """Append the table as one row group."""
        if table.num_rows:
            self._writers[path].write_table(table)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        for path in self._schemas:
            if kind is None:
                _partial(path).replace(path)
            else:
                _partial(path).unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
