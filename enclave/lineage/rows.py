"""The usable rows of one enterprise, and those left out with the reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import ibis
import pyarrow as pa
import pyarrow.dataset as ds
from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import Uscc, check_character_holds
from xinyidai.lineage import LineageRecord

from enclave.records.disputed import Disputed
from enclave.records.disputes import marks, undisputed
from enclave.records.engine import Engine, engine_of
from enclave.records.law import Law
from enclave.records.quality import in_time, newest_of_each_record
from enclave.records.reader import Source, origins
from enclave.records.schema import read_types
from enclave.records.vault.segments import BATCH_COLUMN

DISPUTED: Final = "disputed"
_BATCH: Final = "~batch"
"""Carried along with a row. It sorts after every field, so that it never decides which version is the newest."""
_SHOWN: Final = ("record_id", "source_dept", "data_month", "recv_time", _BATCH)


@dataclass(frozen=True, slots=True, eq=False)
class EnterpriseRows:
    kept: Mapping[str, pa.Table]
    """Category code to usable rows, typed as the features read them, decimals as doubles, and the batch of each; for
    categories held."""
    left_out: tuple[LineageRecord, ...]


def enterprise_rows(
    source: Source,
    catalogue: Catalogue,
    categories: Sequence[str],
    enterprise: Uscc,
    as_of: date,
    disputed: Sequence[Disputed],
    *,
    without_empty: bool = False,
) -> EnterpriseRows:
    """As `read_records` has them: in time, not disputed, the newest of each record, and none of an enterprise whose
    code fails its check. `without_empty`: categories without a row of it are passed over. Raises `RecordsError`."""
    backend = ibis.duckdb.connect(":memory:", threads=1, temp_directory="")
    own = [one for one in disputed if one.enterprise == enterprise]
    try:
        engine = engine_of(backend)
        held = {code: origin for code, (_, origin) in origins(source, catalogue).items() if code in categories}
        batches = {} if isinstance(source, Path) else {one.sequence: one.batch for one in source.batches}
        kept, left_out = {}, []
        for code, origin in held.items():
            found = _found(origin, enterprise if check_character_holds(enterprise) else "")
            if without_empty and not found.num_rows:
                continue
            rows = _typed(engine, catalogue, code, found, as_of, batches)
            marked = marks(engine, code, own)
            newest = newest_of_each_record(undisputed(rows, marked))
            kept[code] = _plain(engine.fetch(newest.order_by("data_month", "recv_time", "record_id")))
            left_out += _left_out(engine, code, newest, rows, marked, Law.at(as_of, catalogue))
    finally:
        backend.disconnect()
    return EnterpriseRows(kept, tuple(left_out))


def _found(origin: Any, enterprise: str) -> pa.Table:
    """Only this enterprise's rows ever enter memory."""
    dataset = origin if isinstance(origin, ds.Dataset) else ds.dataset(origin, format="parquet")
    return dataset.to_table(filter=ds.field("uscc") == enterprise)


def _typed(
    engine: Engine, catalogue: Catalogue, code: str, found: pa.Table, as_of: date, batches: Mapping[int, str]
) -> ibis.Table:
    types = read_types(catalogue, catalogue.category(code))
    numbered = found[BATCH_COLUMN].to_pylist() if BATCH_COLUMN in found.column_names else []
    names = pa.array([batches[number] for number in numbered] or [""] * found.num_rows, pa.string())
    raw = engine.keep(f"own_{code}", ibis.memtable(found.select(list(types)).append_column(_BATCH, names)))
    typed = raw.cast(types)
    return typed.filter(in_time(typed, as_of))


def _plain(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, table[field.name].cast(pa.float64()))
    return table


def _left_out(
    engine: Engine, code: str, newest: ibis.Table, rows: ibis.Table, marked: ibis.Table | None, law: Law
) -> list[LineageRecord]:
    found: list[LineageRecord] = []
    for rule, breach in law.breaches(newest, code).items():
        found += records_of(code, engine.fetch(newest.filter(breach).select(*_SHOWN)), rule)
    if marked is not None:
        shown = rows.select("uscc", *_SHOWN)
        gone = shown.anti_join(undisputed(shown, marked), ["record_id", "recv_time"]).drop("uscc")
        found += records_of(code, engine.fetch(gone), DISPUTED)
    return found


def records_of(category: str, table: pa.Table, rule: str = "") -> list[LineageRecord]:
    """Rows by name, in their order."""
    return [
        LineageRecord(
            category=category,
            record_id=(one["record_id"] or "")[:256],
            source=(one["source_dept"] or "")[:256],
            month=one["data_month"] or 0,
            received=one["recv_time"].isoformat(timespec="seconds") if one["recv_time"] else "",
            batch=one[_BATCH],
            rule=rule,
        )
        for one in table.select(list(_SHOWN)).to_pylist()
    ]
