"""Records to feature values: every category's expressions, executed one category at a time."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Final

import ibis
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue

from enclave.features.coding import ValueStatus
from enclave.features.registry import CategoryPlan, plan
from enclave.features.tables import Tables
from enclave.features.windows import Clock
from enclave.records.disputed import Disputed
from enclave.records.engine import Engine, engine_of
from enclave.records.reader import CategoryCount, Source, embedded_backend, read_records, reading

_DECIMALS: Final = 9
"""Values are rounded here. Fields have at most six decimals, so what is beyond is noise of the arithmetic, which would
put 100 * 0.3 just below an edge at 30."""


@dataclass(frozen=True, slots=True, eq=False)
class FeatureValues:
    """What is known of everyone on one day. All arrays have one row an enterprise, in the order of `enterprises`."""

    as_of: date
    enterprises: NDArray[np.bytes_]
    """Shape (n,), dtype S18, sorted and distinct."""
    values: NDArray[np.float64]
    """Shape (n, features), in catalogue order and in each feature's unit; NaN wherever `status` is no value."""
    status: NDArray[np.uint8]
    """Shape (n, features), of `ValueStatus`."""
    counts: tuple[CategoryCount, ...]
    """What became of the rows, a file each."""


def feature_values(
    records: Source,
    catalogue: Catalogue,
    as_of: date,
    *,
    backend: ibis.BaseBackend | None = None,
    disputed: Sequence[Disputed] = (),
) -> FeatureValues:
    """The value of every feature of every enterprise with a usable row, as known at the end of `as_of`.

    Raises `NoFeatureRule` for a catalogue this package cannot compute and `ValueError` unless `as_of` ends a month,
    both before reading anything; `RecordsError` for records that are not as the catalogue says. `backend`: another
    Ibis backend than the embedded DuckDB.
    """
    plans = plan(catalogue)
    with opened_tables(records, catalogue, as_of, backend, disputed) as opened:
        values = np.full((opened.enterprises.size, len(catalogue.features)), np.nan)
        status = np.full(values.shape, ValueStatus.MISSING, np.uint8)
        for category in plans:
            compute_category(category, opened, opened.tables, opened.enterprises, values, status)
    return FeatureValues(as_of, opened.enterprises, values, status, opened.tables.records.counts)


@dataclass(frozen=True, slots=True, eq=False)
class OpenedTables:
    """Records that were read and checked, and the engine that holds them."""

    engine: Engine
    clock: Clock
    tables: Tables
    enterprises: NDArray[np.bytes_]
    """Sorted and distinct."""


@contextmanager
def opened_tables(
    records: Source,
    catalogue: Catalogue,
    as_of: date,
    backend: ibis.BaseBackend | None,
    disputed: Sequence[Disputed],
) -> Iterator[OpenedTables]:
    """Read records; the embedded engine, if it is used, is closed at the end. Raises like `feature_values`."""
    clock = Clock.at(as_of, catalogue)
    own = embedded_backend(records) if backend is None else backend
    try:
        engine = engine_of(own)
        found = read_records(records, catalogue, as_of, own, disputed)
        enterprises = np.sort(codes_of(engine.fetch(found.enterprises)))
        yield OpenedTables(engine, clock, Tables(catalogue, found), enterprises)
    finally:
        if backend is None:
            own.disconnect()


def compute_category(
    category: CategoryPlan,
    opened: OpenedTables,
    tables: Tables,
    enterprises: NDArray[np.bytes_],
    values: NDArray[np.float64],
    status: NDArray[np.uint8],
) -> None:
    """Fill in one category's columns for `enterprises`, which must be those of `tables`. Without records of the
    category they stay as they are."""
    if not tables.held(category.category.code):
        return
    places = {feature.code: at for at, feature in enumerate(tables.catalogue.features)}
    for expression in category.tables(tables, opened.clock):
        with reading(category.category.code):
            computed = opened.engine.fetch(expression)
        _place(computed, enterprises, places, values, status)


def codes_of(table: pa.Table) -> NDArray[np.bytes_]:
    """Its column `uscc`, dtype S18."""
    codes: NDArray[np.bytes_] = table["uscc"].to_numpy().astype("S18")
    return codes


def _place(
    table: pa.Table,
    enterprises: NDArray[np.bytes_],
    places: dict[str, int],
    values: NDArray[np.float64],
    status: NDArray[np.uint8],
) -> None:
    """Write one executed table into the arrays. A feature the catalogue leaves out of a module's is passed over."""
    rows = np.searchsorted(enterprises, codes_of(table))
    for name in table.column_names:
        if name not in places:
            continue
        column = np.round(table[name].cast(pa.float64()).to_numpy().astype(np.float64), _DECIMALS)
        kind = np.where(np.isfinite(column), ValueStatus.VALUE, ValueStatus.MISSING).astype(np.uint8)
        if f"{name}__na" in table.column_names:
            excluded = table[f"{name}__na"].to_numpy().astype(np.bool_)
            kind[excluded] = ValueStatus.NOT_APPLICABLE
        column[kind != ValueStatus.VALUE] = np.nan
        values[rows, places[name]] = column
        status[rows, places[name]] = kind
