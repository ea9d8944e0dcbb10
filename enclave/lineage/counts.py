"""Lineage for who operates the data domain: how many records, never whose."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import ibis
from xinyidai.catalogue import Catalogue, Feature

from enclave.lineage.rows import DISPUTED
from enclave.quality.board import LEAST_ENTERPRISES
from enclave.records.disputed import Disputed
from enclave.records.engine import Engine, engine_of
from enclave.records.law import Law
from enclave.records.reader import Source, embedded_backend, read_records


def count_lineage(
    source: Source, catalogue: Catalogue, feature: Feature, as_of: date, disputed: Sequence[Disputed] = ()
) -> list[dict[str, Any]]:
    """Usable records of the categories a feature reads, by source, month and what rule shut them out ("" for none).

    Groups over fewer than five enterprises are left out; counts are rounded to multiples of five. What the feature's
    own windows and conditions pass over is counted too: only one enterprise's lineage looks that closely.
    """
    backend = embedded_backend(source)
    try:
        engine = engine_of(backend)
        found = read_records(source, catalogue, as_of, backend, disputed)
        law = Law.at(as_of, catalogue)
        counts: list[dict[str, Any]] = []
        for code in feature.sources:
            if code in found.tables:
                counts += _counted(engine, code, found.tables[code], law)
            counts += [_row(code, "", 0, DISPUTED, one) for one in _disputes(code, disputed)]
    finally:
        backend.disconnect()
    return counts


def _counted(engine: Engine, code: str, table: ibis.Table, law: Law) -> list[dict[str, Any]]:
    breaches = law.breaches(table, code)
    rule = (
        ibis.cases(*((breach, name) for name, breach in breaches.items()), else_="") if breaches else ibis.literal("")
    )
    named = table.mutate(rule=rule)
    groups = named.group_by("source_dept", "data_month", "rule").agg(
        records=named.count(), enterprises=named.uscc.nunique()
    )
    kept = groups.filter(groups.enterprises >= LEAST_ENTERPRISES).order_by("source_dept", "data_month", "rule")
    return [
        _row(code, one["source_dept"] or "", one["data_month"] or 0, one["rule"], one["records"])
        for one in engine.fetch(kept).to_pylist()
    ]


def _disputes(code: str, disputed: Sequence[Disputed]) -> list[int]:
    own = [one for one in disputed if one.category == code]
    return [len(own)] if len({one.enterprise for one in own}) >= LEAST_ENTERPRISES else []


def _row(category: str, source: str, month: int, rule: str, records: int) -> dict[str, Any]:
    rounded = (records + LEAST_ENTERPRISES // 2) // LEAST_ENTERPRISES * LEAST_ENTERPRISES
    return {"category": category, "source": source, "month": month, "rule": rule, "records": rounded}
