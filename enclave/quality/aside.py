"""What departments delivered and intake did not take: rows in quarantine, and rows whose enterprise is not known yet.

They lie in the vault beside the records. The measures are about everything delivered, so they count too.
"""

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import Any, Final

import ibis
import pyarrow as pa
from xinyidai.catalogue import Catalogue, Category

from enclave.records.engine import Engine
from enclave.records.intake.checks import stored_schema
from enclave.records.reader import Source, origins
from enclave.records.schema import columns_of
from enclave.records.vault import SegmentKind, VaultSnapshot
from enclave.records.vault.segments import BATCH_COLUMN

_MONTH: Final = "^[0-9]{4}(0[1-9]|1[0-2])$"


def delivered(source: Source, catalogue: Catalogue) -> dict[str, tuple[str, Any]]:
    """Like `origins`, with categories of the vault of which nothing was taken. Raises `RecordsError`, `VaultError`."""
    found = origins(source, catalogue)
    if not isinstance(source, VaultSnapshot):
        return found
    held = {one.category for kind in (SegmentKind.QUARANTINED, SegmentKind.WAITING) for one in source.segments(kind)}
    for category in catalogue.categories:
        if category.code in held - found.keys():
            empty = stored_schema(columns_of(catalogue, category)).empty_table()
            found[category.code] = (f"vault/{category.code}", empty)
    return found


def with_waiting(
    engine: Engine, source: Source, category: Category, taken: ibis.Table, types: Mapping[str, str]
) -> ibis.Table:
    """The columns of `types` and `waits`: whether a row's enterprise is not known yet."""
    rows = taken.select(*types).cast(types).mutate(waits=ibis.literal(False))
    dataset = source.dataset(category.code, SegmentKind.WAITING) if isinstance(source, VaultSnapshot) else None
    if dataset is None:
        return rows
    waiting = engine.open(f"waiting_{category.code}", dataset)
    return ibis.union(rows, waiting.select(*types).cast(types).mutate(waits=ibis.literal(True)))


def quarantined(engine: Engine, source: Source, category: Category, taken: ibis.Table) -> ibis.Table | None:
    """(uscc, source_dept, recv_time, data_month, filled) of the rows in quarantine; None when there are none.

    A row's own source, month and time hold where they can be read and nothing was wrong with them, and its source only
    if records were taken of it: what is in quarantine is not put on a board. Else they are those of its batch, by its
    records that were taken or by its commit. `filled`: how many of the category's fields say something.
    """
    dataset = source.dataset(category.code, SegmentKind.QUARANTINED) if isinstance(source, VaultSnapshot) else None
    if dataset is None or not isinstance(source, VaultSnapshot):
        return None
    code = category.code
    batches = engine.keep(f"batches_{code}", ibis.memtable(_batches(source)))
    usual = engine.keep(
        f"usual_{code}",
        taken.group_by(BATCH_COLUMN).agg(usual_source=taken.source_dept.max(), usual_month=taken.data_month.max()),
    )
    sources = engine.keep(f"sources_{code}", taken.select(known_source="source_dept").distinct())
    rows = engine.open(f"quarantined_{code}", dataset).inner_join(batches, BATCH_COLUMN)
    rows = rows.left_join(usual, BATCH_COLUMN).drop(f"{BATCH_COLUMN}_right")
    rows = rows.left_join(sources, rows.source_dept == sources.known_source)
    month = ibis.cases(
        ((rows["_column"] != "data_month") & rows.data_month.strip().re_search(_MONTH), rows.data_month.strip())
    )
    time = ibis.cases((rows["_column"] != "recv_time", rows.recv_time)).try_cast("timestamp(6)")
    said = ((rows[field.name].fill_null("") != "").cast("int64") for field in category.fields)
    return rows.select(
        uscc=rows.uscc.strip().upper().nullif(""),
        source_dept=ibis.coalesce(rows.known_source, rows.usual_source, rows.department),
        recv_time=ibis.coalesce(time, rows.committed),
        data_month=ibis.coalesce(month.try_cast("int64"), rows.usual_month, rows.committed_month),
        filled=reduce(add, said, ibis.literal(0, "int64")),
    )


def _batches(source: VaultSnapshot) -> pa.Table:
    made = pa.array([one.committed_at for one in source.batches], pa.int64()).cast(pa.timestamp("s"))
    months = [moment.year * 100 + moment.month for moment in made.to_pylist()]
    return pa.table(
        {
            BATCH_COLUMN: pa.array([one.sequence for one in source.batches], pa.int64()),
            "department": pa.array([one.department for one in source.batches], pa.string()),
            "committed": made.cast(pa.timestamp("us")),
            "committed_month": pa.array(months, pa.int64()),
        }
    )
