"""The vault as it was at one commit. Reading needs no lock: segments never change, and are kept through retention."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from enclave.records.vault.errors import CategoryDestroyed, VaultError
from enclave.records.vault.keys import KeyRing
from enclave.records.vault.manifest import Batch, Manifest, Segment, SegmentKind
from enclave.records.vault.segments import open_segments


class VaultSnapshot:
    """Records and batches of one version. Built by `Vault.snapshot`."""

    def __init__(self, manifest: Manifest, version: int, keys: KeyRing, path_of: Callable[[Segment], Path]) -> None:
        self._manifest = manifest
        self._keys = keys
        self._path_of = path_of
        self.version = version

    @property
    def categories(self) -> tuple[str, ...]:
        """Codes of the categories with records."""
        return tuple(sorted({segment.category for segment in self.segments(SegmentKind.TAKEN)}))

    @property
    def batches(self) -> tuple[Batch, ...]:
        """In the order of their commits; the counts are the current ones."""
        at = next(commit.at for commit in self._manifest.commits if commit.version == self.version)
        if self.version == self._manifest.version:
            return self._manifest.batches
        return tuple(batch for batch in self._manifest.batches if batch.committed_at <= at)

    def segments(self, kind: SegmentKind, category: str | None = None) -> list[Segment]:
        return self._manifest.live(kind, category, self.version)

    def dataset(self, category: str, kind: SegmentKind = SegmentKind.TAKEN) -> Any:
        """A `pyarrow.dataset.Dataset`: the catalogue's columns (strings, int64, float64, date32, timestamp[us], bool),
        then `_batch` and `_line`. None when there are no rows. Raises `VaultError`."""
        if category in self._manifest.destroyed:
            raise CategoryDestroyed(category)
        found = self.segments(kind, category)
        return open_segments([self._path_of(one) for one in found], category, self._keys) if found else None

    def table(
        self, category: str, kind: SegmentKind = SegmentKind.TAKEN, columns: Sequence[str] | None = None
    ) -> pa.Table | None:
        """The rows in memory; None when there are none. Raises `VaultError`."""
        dataset = self.dataset(category, kind)
        if dataset is None:
            return None
        try:
            return dataset.to_table(columns=None if columns is None else list(columns))
        except (OSError, pa.ArrowException):
            raise VaultError(f"a segment of {category} cannot be read to its end; restore the vault") from None
