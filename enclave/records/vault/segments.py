"""Segments: Parquet with modular encryption, every file under a key of its own.

AES-256-GCM over footer, indexes and pages alike; the file's name is the AAD prefix and is not stored, so that one
segment cannot be put in the place of another.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from xinyidai.files import sync_file

from enclave.records.vault.errors import VaultError
from enclave.records.vault.keys import KeyRing
from enclave.records.vault.manifest import Segment, SegmentKind

_COMPRESSION_LEVEL: Final = 1
BATCH_COLUMN: Final = "_batch"
"""int64: sequence of the batch a row came with."""


def purpose_of(name: str) -> str:
    return f"segment/v1/{name}"


class SegmentWriter:
    """Writes one segment. Leaving the context in order makes it durable; otherwise it is removed."""

    def __init__(self, path: Path, category: str, kind: SegmentKind, schema: pa.Schema, keys: KeyRing) -> None:
        self._path = path
        self.category, self.kind, self.rows = category, kind, 0
        properties = pe.create_encryption_properties(
            footer_key=keys.derive(category, purpose_of(path.stem)),
            aad_prefix=path.stem.encode(),
            store_aad_prefix=False,
        )
        # Dictionaries of values that hardly repeat (amounts, record ids) cost time and save nothing.
        repeating = [field.name for field in schema if field.type == pa.string() and field.name != "record_id"]
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=_COMPRESSION_LEVEL,
            use_dictionary=repeating,
            encryption_properties=properties,
        )

    def write(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self._writer.write_table(rows)
            self.rows += rows.num_rows

    def segment(self, version: int) -> Segment:
        return Segment(self._path.stem, self.category, self.kind, self.rows, self._path.stat().st_size, version)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
        if kind is None:
            sync_file(self._path)
        else:
            self._path.unlink(missing_ok=True)


def open_segment(path: Path, category: str, keys: KeyRing) -> Any:
    """A dataset over one segment; columns are read and decrypted as they are asked for."""
    properties = pe.create_decryption_properties(
        footer_key=keys.derive(category, purpose_of(path.stem)), aad_prefix=path.stem.encode()
    )
    options = ds.ParquetFragmentScanOptions(decryption_properties=properties)
    return ds.dataset(path, format=ds.ParquetFileFormat(default_fragment_scan_options=options))


def open_segments(paths: Sequence[Path], category: str, keys: KeyRing) -> Any:
    """A dataset over at least one segment. Raises `VaultError` when one is missing, changed or of another key."""
    try:
        opened = [open_segment(path, category, keys) for path in paths]
    except (OSError, pa.ArrowException):
        raise VaultError(f"a segment of {category} is missing or was changed on disk; restore the vault") from None
    return opened[0] if len(opened) == 1 else ds.dataset(opened)
