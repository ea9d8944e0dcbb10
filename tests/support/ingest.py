"""A data domain's ingestion without a network: a vault, and departments that deliver to it."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.batches import LINE_COLUMN, BatchFormat, BatchHeader
from xinyidai.catalogue import Catalogue, builtin_catalogue
from xinyidai.identifiers import parse_batch_id, parse_department_id, parse_enclave_id

from enclave.environment import SoftwareEnvironment
from enclave.records.intake.intake import take_batch
from enclave.records.vault import Batch, SegmentKind, Vault
from tests.support.records import record_table

NOW = 1_795_000_000
"""November 2026."""


class SetClock(SoftwareEnvironment):
    """Sealing as in operation; the time as the test sets it."""

    now = NOW

    def clock(self) -> int:
        return self.now


@dataclass
class Domain:
    """A vault in a folder."""

    root: Path
    environment: SetClock
    vault: Vault
    catalogue: Catalogue

    @classmethod
    def create(cls, root: Path) -> "Domain":
        root.mkdir(mode=0o700, exist_ok=True)
        key = root / "sealing.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(32))
        environment = SetClock(key)
        return cls(root, environment, Vault(root / "vault", environment), builtin_catalogue())

    def take(self, category: str, table: pa.Table, batch: str = "batch-0001", department: str = "swj") -> Batch:
        header, content = packed(self.catalogue, category, table, batch, department)
        return take_batch(self.vault, self.catalogue, header, pa.py_buffer(content))

    def take_rows(self, category: str, rows: Sequence[Mapping[str, Any]], batch: str = "batch-0001") -> Batch:
        return self.take(category, record_table(self.catalogue, category, rows), batch)

    def held(self, category: str, column: str, kind: SegmentKind = SegmentKind.TAKEN) -> list[Any]:
        """A column of everything of a kind, sorted."""
        table = self.vault.snapshot().table(category, kind)
        return [] if table is None else sorted(table.column(column).to_pylist())

    def stored(self, category: str, kind: SegmentKind = SegmentKind.TAKEN, version: int | None = None) -> Any:
        """The rows of a kind, of which there are some, in the order of their lines."""
        table = self.vault.snapshot(version).table(category, kind)
        assert table is not None
        return table.sort_by([("_batch", "ascending"), ("_line", "ascending")])

    def faults(self, batch: Batch) -> dict[tuple[str, str], int]:
        return {(fault.fault, fault.column): fault.rows for fault in batch.faults}


def with_lines(table: pa.Table) -> pa.Table:
    if LINE_COLUMN in table.column_names:
        return table
    return table.append_column(LINE_COLUMN, pa.array(range(1, table.num_rows + 1), pa.int64()))


def as_text(table: pa.Table) -> pa.Table:
    """As a file of text has it: every value written out."""
    return pa.table({name: table.column(name).cast(pa.string()) for name in table.column_names})


def packed(
    catalogue: Catalogue,
    category: str,
    table: pa.Table,
    batch: str,
    department: str = "swj",
    form: BatchFormat = BatchFormat.PARQUET,
    **changes: Any,
) -> tuple[BatchHeader, bytes]:
    """A batch that says the truth about itself, unless changed."""
    sink = pa.BufferOutputStream()
    lined = with_lines(table)
    if form is BatchFormat.PARQUET:
        pq.write_table(lined, sink)
    else:
        with pa.ipc.new_stream(sink, lined.schema) as writer:
            writer.write_table(lined)
    content = sink.getvalue().to_pybytes()
    header = BatchHeader(
        department=parse_department_id(department),
        audience=(parse_enclave_id("lianyungang-1"),),
        issued_at=NOW,
        category=category,
        batch=parse_batch_id(batch),
        catalogue_digest=catalogue.digest,
        format=form,
        rows=table.num_rows,
        size=len(content),
        digest=hashlib.sha256(content).hexdigest(),
    )
    return replace(header, **changes), content


def organisation_code(number: int) -> str:
    """Nine characters with the check character of GB 11714."""
    body = f"{number:08d}"
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    return body + "0123456789X"[-sum(int(c) * w for c, w in zip(body, weights, strict=True)) % 11]
