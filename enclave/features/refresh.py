"""Cells of a new snapshot from those of the one before: what did not change is taken over.

A feature depends on the enterprise's own records of the categories it reads, on the catalogue and, by its windows, on
`as_of`. So on the same day only enterprises whose records changed are computed again, category by category; on another
day every category with windows is, and the others are not. The outcome equals a full build (but for a chance of 2^-64
an enterprise, see `prints`).
"""

from dataclasses import dataclass
from datetime import date
from functools import reduce

import ibis
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue

from enclave.features.coding import ValueStatus, code_feature
from enclave.features.prints import Prints
from enclave.features.registry import CategoryPlan, plan
from enclave.features.tables import Tables
from enclave.features.values import OpenedTables, compute_category
from enclave.records.reader import Records


@dataclass(frozen=True, slots=True, eq=False)
class Before:
    """An earlier snapshot, made with the same code and catalogue."""

    as_of: date
    enterprises: NDArray[np.bytes_]
    cells: NDArray[np.uint16]
    prints: Prints


@dataclass(frozen=True, slots=True, eq=False)
class Refreshed:
    """All cells, and how many enterprises were computed, summed over the categories."""

    cells: NDArray[np.uint16]
    computed: int


def refresh_cells(catalogue: Catalogue, opened: OpenedTables, prints: Prints, before: Before | None) -> Refreshed:
    """Cells of `opened.enterprises`, shape (n, features)."""
    cells = np.empty((opened.enterprises.size, len(catalogue.features)), np.uint16)
    computed = 0
    for category in plan(catalogue):
        columns = np.array(
            [at for at, found in enumerate(catalogue.features) if found.category == category.category.code]
        )
        stale = opened.enterprises if before is None else _stale(category, opened, prints, before)
        if before is not None and stale.size < opened.enterprises.size:
            kept, _, old_at = np.intersect1d(
                np.setdiff1d(opened.enterprises, stale, assume_unique=True),
                before.enterprises,
                assume_unique=True,
                return_indices=True,
            )
            rows = np.searchsorted(opened.enterprises, kept)
            cells[np.ix_(rows, columns)] = before.cells[np.ix_(old_at, columns)]
        if stale.size:
            rows = np.searchsorted(opened.enterprises, stale)
            cells[np.ix_(rows, columns)] = computed_cells(catalogue, category, columns, opened, stale)
            computed += stale.size
    return Refreshed(cells, computed)


def _stale(category: CategoryPlan, opened: OpenedTables, prints: Prints, before: Before) -> NDArray[np.bytes_]:
    """Whose features of a category must be computed."""
    sources = {category.category.code, *(s for feature in category.category.features for s in feature.sources)}
    came_or_went = any((source in prints.of) != (source in before.prints.of) for source in sources)
    if came_or_went or (opened.clock.as_of != before.as_of and category.module is not None):
        return opened.enterprises
    changed = [prints.changed(before.prints, source) for source in sources if source in prints.of]
    new = np.setdiff1d(opened.enterprises, before.enterprises, assume_unique=True)
    return np.intersect1d(reduce(np.union1d, changed, new), opened.enterprises, assume_unique=True)


def computed_cells(
    catalogue: Catalogue,
    category: CategoryPlan,
    columns: NDArray[np.intp],
    opened: OpenedTables,
    stale: NDArray[np.bytes_],
) -> NDArray[np.uint16]:
    """Cells of one category's features (`columns` of all) for `stale`, shape (stale, columns)."""
    values = np.full((stale.size, len(catalogue.features)), np.nan)
    status = np.full(values.shape, ValueStatus.MISSING, np.uint8)
    tables = opened.tables if stale.size == opened.enterprises.size else _narrowed(opened.tables, stale)
    compute_category(category, opened, tables, stale, values, status)
    coded = [code_feature(catalogue.features[at], values[:, at], status[:, at]) for at in columns]
    return np.stack(coded, axis=1)


def _narrowed(tables: Tables, enterprises: NDArray[np.bytes_]) -> Tables:
    """The records of some enterprises alone."""
    chosen = ibis.memtable(pa.table({"uscc": pa.array(enterprises.astype("U18"))}))
    records = {code: table.semi_join(chosen, "uscc") for code, table in tables.records.tables.items()}
    return Tables(tables.catalogue, Records(records, tables.records.counts, chosen))
