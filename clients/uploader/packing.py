"""A file as signed batches. The same file gives the same batches with the same ids, so that running an upload again
sends what is missing and nothing twice."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.batches import MAX_BATCH_BYTES, BatchFormat, BatchHeader
from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import DepartmentId, EnclaveId, parse_batch_id

from clients.uploader.columns import fields_of
from clients.uploader.errors import UnreadableFile
from clients.uploader.formats import FileFormat, read_pieces

BATCH_ROWS: Final = 1_000_000
_COMPRESSION_LEVEL: Final = 1
_GROUP_ROWS: Final = 131_072


@dataclass(frozen=True, slots=True, eq=False)
class PackedBatch:
    """A batch ready to be signed and sent."""

    header: BatchHeader
    content: bytes


def pack_file(
    path: Path,
    category: str,
    catalogue: Catalogue,
    department: DepartmentId,
    enclaves: Sequence[EnclaveId],
    *,
    form: FileFormat | None = None,
    encoding: str = "utf-8",
    batch_rows: int = BATCH_ROWS,
) -> Iterator[PackedBatch]:
    """Raises `UnreadableFile`, `UnknownCategory` or `OSError`. At most one batch is held in memory."""
    fields = fields_of(catalogue, category)
    pieces = read_pieces(path, form or FileFormat.of(path), fields, department, encoding)
    with path.open("rb") as file:
        origin = hashlib.file_digest(file, "sha256").hexdigest()[:20]
    for number, rows in enumerate(_grouped(pieces, batch_rows)):
        content = _parquet(rows)
        if len(content) > MAX_BATCH_BYTES:
            raise UnreadableFile("一批过大,请减少每批行数 / a batch is too large; give fewer rows a batch")
        yield PackedBatch(
            BatchHeader(
                department=department,
                audience=tuple(enclaves),
                issued_at=int(time.time()),
                category=category,
                batch=parse_batch_id(f"{category[:24]}-{origin}-{number:04d}"),
                catalogue_digest=catalogue.digest,
                format=BatchFormat.PARQUET,
                rows=rows.num_rows,
                size=len(content),
                digest=hashlib.sha256(content).hexdigest(),
            ),
            content,
        )


def _grouped(pieces: Iterator[pa.Table], batch_rows: int) -> Iterator[pa.Table]:
    """Tables of `batch_rows` rows, the last one of fewer; columns that are text in any piece are text in the batch."""
    held: list[pa.Table] = []
    count = 0
    for piece in pieces:
        held.append(piece)
        count += piece.num_rows
        while count >= batch_rows:
            whole = _joined(held)
            yield whole.slice(0, batch_rows)
            held, count = [whole.slice(batch_rows)], count - batch_rows
    if count:
        yield _joined(held)


def _joined(pieces: list[pa.Table]) -> pa.Table:
    schema = pieces[0].schema
    for piece in pieces:
        for at, field in enumerate(piece.schema):
            if field.type != schema.field(at).type:
                schema = schema.set(at, pa.field(field.name, pa.string()))
    return pa.concat_tables([piece.cast(schema) for piece in pieces])


def _parquet(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        row_group_size=_GROUP_ROWS,
        compression="zstd",
        compression_level=_COMPRESSION_LEVEL,
        use_dictionary=[field.name for field in rows.schema if field.type == pa.string() and field.name != "record_id"],
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content
