"""Rows of one batch that repeat a record: copies are counted and left out, contradictions go to quarantine.

Two rows are of one record and moment when source, record id and time of receipt agree. The same record at a later time
is a correction, and stays. Rows without a record id, and lines the uploader could not take apart, are nobody's copies,
however alike: each goes to quarantine with its own line.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Row numbers in the batch, rising."""

    copies: NDArray[np.int64]
    conflicts: NDArray[np.int64]


def find_repeated(table: pa.Table) -> Repeated:
    """The first of several rows, by place in the batch, is never in either."""
    suspects = _suspects(table)
    if not suspects.size:
        return Repeated(suspects, suspects)
    kept = [name for name in table.column_names if name not in (LINE_COLUMN, FAULT_COLUMN)]
    rows = table.select(kept).take(pa.array(suspects)).append_column("_at", pa.array(suspects))
    firsts = rows.group_by(kept, use_threads=False).aggregate([("_at", "min")])
    first_of_copies = np.sort(firsts.column("_at_min").to_numpy())
    leading = firsts.group_by(["source_dept", "record_id", "recv_time"], use_threads=False).aggregate(
        [("_at_min", "min")]
    )
    first_of_records = leading.column("_at_min_min").to_numpy()
    copies = np.setdiff1d(suspects, first_of_copies)
    return Repeated(copies, np.setdiff1d(first_of_copies, first_of_records))


def _suspects(table: pa.Table) -> NDArray[np.int64]:
    """Rows that share record id and time with another."""
    ids = _numbered(table.column("record_id"))
    if ids.size == 0 or int(ids.max()) + 1 == ids.size:
        return np.zeros(0, np.int64)
    often = np.flatnonzero((np.bincount(ids)[ids] > 1) & _named(table))
    times = _numbered(table.column("recv_time").take(pa.array(often)))
    pair = ids[often] * (int(times.max(initial=0)) + 1) + times
    _, inverse, counts = np.unique(pair, return_inverse=True, return_counts=True)
    found: NDArray[np.int64] = often[counts[inverse] > 1]
    return found


def _named(table: pa.Table) -> NDArray[np.bool_]:
    """Rows that say which record they are."""
    given = pc.greater(pc.binary_length(table.column("record_id")), 0)
    mask: NDArray[np.bool_] = pc.and_(given.fill_null(False), pc.is_null(table.column(FAULT_COLUMN))).to_numpy()
    return mask


def _numbered(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A number for each distinct value, null among them."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    numbers: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers
