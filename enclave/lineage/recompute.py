"""The row of one enterprise, computed anew from its own records: by the features' code, as a snapshot is."""

from collections.abc import Sequence
from datetime import date

import ibis
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import Uscc

from enclave.features.refresh import computed_cells
from enclave.features.registry import CategoryPlan, plan
from enclave.features.tables import Tables
from enclave.features.values import OpenedTables
from enclave.features.windows import Clock
from enclave.lineage.rows import enterprise_rows
from enclave.records.disputed import Disputed
from enclave.records.engine import engine_of
from enclave.records.reader import Records, Source
from enclave.records.schema import read_types


def recompute_row(
    source: Source,
    catalogue: Catalogue,
    enterprise: Uscc,
    as_of: date,
    disputed: Sequence[Disputed],
    categories: frozenset[str],
    row: NDArray[np.uint16],
) -> NDArray[np.uint16]:
    """`row` with every feature that reads one of `categories` computed without what is `disputed`.

    The enterprise must be one of the snapshot's. Raises `RecordsError`, and `ValueError` unless `as_of` ends a month.
    """
    affected = [found for found in plan(catalogue) if not categories.isdisjoint(_reads(found))]
    needed = sorted({code for found in affected for code in _reads(found)})
    rows = enterprise_rows(source, catalogue, needed, enterprise, as_of, disputed)
    places = {feature.code: at for at, feature in enumerate(catalogue.features)}
    anew = row.copy()
    backend = ibis.duckdb.connect(":memory:", threads=1, temp_directory="")
    try:
        tables = {}
        for code, table in rows.kept.items():
            types = read_types(catalogue, catalogue.category(code))
            tables[code] = backend.create_table(f"own_{code}", ibis.memtable(table.select(list(types)))).cast(types)
        own = np.array([enterprise.encode()], "S18")
        everyone = backend.create_table("everyone", ibis.memtable(pa.table({"uscc": [str(enterprise)]})))
        clock = Clock.at(as_of, catalogue)
        opened = OpenedTables(engine_of(backend), clock, Tables(catalogue, Records(tables, (), everyone)), own)
        for found in affected:
            columns = np.array([places[feature.code] for feature in found.category.features], np.intp)
            anew[columns] = computed_cells(catalogue, found, columns, opened, own)[0]
    finally:
        backend.disconnect()
    return anew


def _reads(found: CategoryPlan) -> set[str]:
    return {found.category.code, *(source for feature in found.category.features for source in feature.sources)}
