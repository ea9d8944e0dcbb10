"""What the vault holds, as one sealed file replaced by an atomic rename: a change is there in full or not at all.

Segments are written once and never changed. The manifest names those that count, since which version and until which,
so that it is its own history; a file it does not name is what a crash left behind.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from enclave.records.vault.errors import VaultError

_FORMAT: Final = 1
LABEL: Final = "vault-manifest"


class SegmentKind(StrEnum):
    TAKEN = "taken"
    """Records that features are computed from."""
    QUARANTINED = "quarantined"
    WAITING = "waiting"
    """Good rows whose enterprise is not known yet."""
    LINKS = "links"
    """(key, uscc): organisation codes and old taxpayer ids of enterprises."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One immutable file."""

    name: str
    """Random; also the file's name and part of its key."""
    category: str
    kind: SegmentKind
    rows: int
    size: int
    """Bytes of the file."""
    added: int
    """The first version that has it."""
    removed: int | None = None
    """The first version that no longer has it."""

    def in_version(self, version: int) -> bool:
        return self.added <= version and (self.removed is None or version < self.removed)


@dataclass(frozen=True, slots=True)
class Fault:
    """How many rows of a batch are in quarantine for one reason."""

    fault: str
    column: str
    rows: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A committed batch. `taken` + `duplicated` + `waiting` + the faults' rows = `rows`."""

    sequence: int
    """Number in the vault; every row carries it as `_batch`."""
    department: str
    batch: str
    category: str
    digest: str
    rows: int
    taken: int
    duplicated: int
    waiting: int
    faults: tuple[Fault, ...]
    committed_at: int

    @property
    def quarantined(self) -> int:
        return sum(fault.rows for fault in self.faults)


@dataclass(frozen=True, slots=True)
class Commit:
    version: int
    at: int
    """Seconds since 1970-01-01 UTC."""


@dataclass(frozen=True, slots=True)
class Manifest:
    version: int = 0
    commits: tuple[Commit, ...] = ()
    """Versions that can still be read, oldest first, the current one last."""
    segments: tuple[Segment, ...] = ()
    """Of all those versions."""
    batches: tuple[Batch, ...] = ()
    """Every batch ever committed: this is what counts a batch once."""
    destroyed: tuple[str, ...] = ()
    """Categories whose key is gone."""
    _by_id: Mapping[tuple[str, str], Batch] = field(default_factory=dict, repr=False, compare=False)

    def batch(self, department: str, batch: str) -> Batch | None:
        return self._by_id.get((department, batch))

    def live(self, kind: SegmentKind, category: str | None = None, version: int | None = None) -> list[Segment]:
        """Segments of a version (default: the current one)."""
        at = self.version if version is None else version
        return [s for s in self.segments if s.kind is kind and category in (None, s.category) and s.in_version(at)]

    def encode(self) -> bytes:
        """Compressed JSON; the caller seals it."""
        content: dict[str, Any] = {
            "format": _FORMAT,
            "version": self.version,
            "commits": [asdict(commit) for commit in self.commits],
            "segments": [asdict(segment) for segment in self.segments],
            "batches": [asdict(batch) for batch in self.batches],
            "destroyed": list(self.destroyed),
        }
        return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), level=1)


def build_manifest(
    version: int,
    commits: tuple[Commit, ...],
    segments: tuple[Segment, ...],
    batches: tuple[Batch, ...],
    destroyed: tuple[str, ...],
) -> Manifest:
    by_id = {(batch.department, batch.batch): batch for batch in batches}
    return Manifest(version, commits, segments, batches, destroyed, by_id)


def decode_manifest(raw: bytes) -> Manifest:
    """Content that was sealed by this enclave. Raises `VaultError` for another release's."""
    content = json.loads(zlib.decompress(raw))
    if content["format"] != _FORMAT:
        raise VaultError(f"the vault has format {content['format']}, this release knows {_FORMAT}")
    return build_manifest(
        content["version"],
        tuple(Commit(**commit) for commit in content["commits"]),
        tuple(Segment(**{**one, "kind": SegmentKind(one["kind"])}) for one in content["segments"]),
        tuple(Batch(**{**one, "faults": tuple(Fault(**f) for f in one["faults"])}) for one in content["batches"]),
        tuple(content["destroyed"]),
    )
