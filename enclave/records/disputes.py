"""Disputed records: the expression that keeps their rows out."""

from collections.abc import Sequence
from datetime import UTC, datetime

import ibis
import pyarrow as pa

from enclave.records.disputed import Disputed
from enclave.records.engine import Engine

_ALWAYS = datetime(9999, 12, 31)


def marks(engine: Engine, category: str, disputed: Sequence[Disputed]) -> ibis.Table | None:
    """(uscc, record_id, marked_until) of a category; None when nothing in it is disputed."""
    own = [one for one in disputed if one.category == category]
    if not own:
        return None
    until = [
        _ALWAYS if one.until is None else datetime.fromtimestamp(one.until, UTC).replace(tzinfo=None) for one in own
    ]
    columns = {
        "uscc": pa.array([one.enterprise for one in own], pa.string()),
        "record_id": pa.array([one.record_id for one in own], pa.string()),
        "marked_until": pa.array(until, pa.timestamp("us")),
    }
    return engine.keep(f"disputed_{category}", ibis.memtable(pa.table(columns)))


def undisputed(rows: ibis.Table, marked: ibis.Table | None) -> ibis.Table:
    """Rows without those that are marked. An enterprise's mark concerns its own rows alone."""
    if marked is None:
        return rows
    return rows.anti_join(marked, _concerns(marked, rows))


def in_dispute(rows: ibis.Table, marked: ibis.Table) -> ibis.Table:
    """The rows that are marked."""
    return rows.semi_join(marked, _concerns(marked, rows))


def _concerns(marked: ibis.Table, rows: ibis.Table) -> ibis.Value:
    same = (rows.uscc == marked.uscc) & (rows.record_id == marked.record_id)
    return same & (rows.recv_time <= marked.marked_until)
