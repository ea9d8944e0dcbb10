"""The vault: transactions over immutable segments, compaction, time travel, destruction of a category's key."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pyarrow as pa
from xinyidai.files import sync_folder, write_whole

from enclave.environment import Environment, refuse_loose
from enclave.records.vault.errors import CategoryDestroyed, VaultError
from enclave.records.vault.keys import KeyRing
from enclave.records.vault.manifest import (
    LABEL,
    Batch,
    Commit,
    Manifest,
    Segment,
    SegmentKind,
    build_manifest,
    decode_manifest,
)
from enclave.records.vault.segments import SegmentWriter, open_segments
from enclave.records.vault.snapshot import VaultSnapshot

_MANIFEST: Final = "MANIFEST"
_SUFFIX: Final = ".parquet"
DAY_SECONDS: Final = 86_400
COMPACT_BELOW_ROWS: Final = 2_000_000
"""Segments with fewer rows are put together by compaction."""
_COMPACTION_SLICE: Final = 262_144


class Vault:
    """One folder (0700). Any number of readers; writers, of any process, take turns.

    `retention_seconds`: how long what a newer version no longer has can still be read, at least an hour so that a
    reader never loses a file under its hands.
    """

    def __init__(self, root: Path, environment: Environment, *, retention_seconds: int = 30 * DAY_SECONDS) -> None:
        self._root = root
        self._environment = environment
        self._retention = max(retention_seconds, 3600)
        for folder in (root, root / "keys", root / "segments"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_loose(folder)
        self.keys = KeyRing(root / "keys", environment)

    def manifest(self) -> Manifest:
        """What is committed now. Raises `EnclaveEnvironmentError` when it was sealed elsewhere or changed."""
        try:
            raw = (self._root / _MANIFEST).read_bytes()
        except FileNotFoundError:
            return Manifest()
        return decode_manifest(self._environment.unseal(LABEL, raw).reveal())

    def snapshot(self, version: int | None = None, *, at: int | None = None) -> VaultSnapshot:
        """The current version; or a numbered one; or the last committed up to `at`, seconds since 1970-01-01 UTC.
        Raises `VaultError` when that is past retention or never was."""
        manifest = self.manifest()
        known = [commit.version for commit in manifest.commits if at is None or commit.at <= at]
        chosen = version if version is not None else (known[-1] if known else 0)
        if chosen not in known:
            raise VaultError("the vault has no such version within its retention")
        return VaultSnapshot(manifest, chosen, self.keys, self.path_of)

    def path_of(self, segment: Segment) -> Path:
        return self._root / "segments" / segment.category / f"{segment.name}{_SUFFIX}"

    @contextmanager
    def transaction(self, name: str) -> Iterator["Transaction"]:
        """All of it is on disk when the block ends, or none of it happened. Waits for another writer to finish.

        `name` says in a stack trace which change of state this is.
        """
        with self._locked():
            changes = Transaction(self, self.manifest())
            try:
                yield changes
                changes.commit()
            except BaseException as error:
                error.add_note(f"not committed: {name}")
                changes.roll_back()
                raise

    def recover(self) -> int:
        """Remove what a crash left behind and finish a destruction it interrupted; the number of files removed."""
        with self._locked():
            manifest = self.manifest()
            for category in manifest.destroyed:
                self.keys.destroy(category)
            named = {self.path_of(segment) for segment in manifest.segments}
            orphans = [path for path in (self._root / "segments").glob(f"*/*{_SUFFIX}") if path not in named]
            for path in orphans:
                path.unlink()
        return len(orphans)

    def compact(self, category: str, *, below_rows: int = COMPACT_BELOW_ROWS) -> int:
        """Put small segments of a kind together, and forget what is past retention. Returns how many were replaced."""
        replaced = 0
        for kind in SegmentKind:
            with self.transaction(f"compact {category}") as changes:
                small = [one for one in changes.live(kind, category) if one.rows < below_rows]
                if len(small) > 1:
                    changes.merge(small)
                    replaced += len(small)
        return replaced

    def compact_if_scattered(self, category: str, most: int, *, below_rows: int = COMPACT_BELOW_ROWS) -> int:
        """Compact when some kind has more than `most` small segments."""
        live = (self.manifest().live(kind, category) for kind in SegmentKind)
        if any(sum(one.rows < below_rows for one in segments) > most for segments in live):
            return self.compact(category, below_rows=below_rows)
        return 0

    def expire(self) -> int:
        """Forget versions past retention and remove the files only they had; the number of files removed."""
        limit = self._environment.clock() - self._retention
        with self.transaction("expire versions") as changes:
            changes.forget_before(limit)
        return self.recover()

    def destroy(self, category: str) -> None:
        """Make every record of a category unreadable for good: the key is erased, then the files. Final."""
        with self.transaction(f"destroy {category}") as changes:
            changes.destroy(category)
        # A crash between the two is finished by `recover`: the manifest already says that the category is gone.
        self.recover()

    def now(self) -> int:
        return self._environment.clock()

    def write_manifest(self, manifest: Manifest) -> None:
        """For `Transaction`, under the lock."""
        write_whole(self._root / _MANIFEST, self._environment.seal(LABEL, manifest.encode()))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self._root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Transaction:
    """Changes to be committed together. Made by `Vault.transaction`."""

    def __init__(self, vault: Vault, manifest: Manifest) -> None:
        self._vault = vault
        self.manifest = manifest
        self.version = manifest.version + 1
        self._writers: list[SegmentWriter] = []
        self._removed: set[str] = set()
        self._batches = {(batch.department, batch.batch): batch for batch in manifest.batches}
        self._destroyed = manifest.destroyed
        self._since = 0
        self._dirty = False
        self._decided = False
        self._paths: list[Path] = []

    def live(self, kind: SegmentKind, category: str | None = None) -> list[Segment]:
        """Committed segments that this transaction has not removed."""
        return [one for one in self.manifest.live(kind, category) if one.name not in self._removed]

    def read(self, segments: list[Segment]) -> pa.Table | None:
        """Rows of segments of one category; None for none."""
        if not segments:
            return None
        paths = [self._vault.path_of(one) for one in segments]
        return open_segments(paths, segments[0].category, self._vault.keys).to_table()

    def next_sequence(self) -> int:
        """Of a batch yet to be added."""
        return len(self._batches) + 1

    @contextmanager
    def new_segment(self, category: str, kind: SegmentKind, schema: pa.Schema) -> Iterator[SegmentWriter]:
        """Write a segment, which counts once the transaction is committed and if it has any row."""
        if category in self._destroyed:
            raise CategoryDestroyed(category)
        folder = self._vault.path_of(Segment("", category, kind, 0, 0, 0)).parent
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
            sync_folder(folder.parent)
        path = folder / f"{secrets.token_hex(16)}{_SUFFIX}"
        self._paths.append(path)
        with SegmentWriter(path, category, kind, schema, self._vault.keys) as writer:
            yield writer
        if writer.rows:
            self._writers.append(writer)
            self._dirty = True
        else:
            path.unlink()

    def remove(self, segment: Segment) -> None:
        self._removed.add(segment.name)
        self._dirty = True

    def merge(self, segments: list[Segment]) -> None:
        """Replace segments of one category and kind by one with the same rows."""
        paths = [self._vault.path_of(one) for one in segments]
        rows = open_segments(paths, segments[0].category, self._vault.keys)
        with self.new_segment(segments[0].category, segments[0].kind, rows.schema) as writer:
            for part in rows.to_batches(batch_size=_COMPACTION_SLICE):
                writer.write(pa.Table.from_batches([part]))
        for one in segments:
            self.remove(one)

    def put_batch(self, batch: Batch) -> None:
        """Add a batch, or replace its counts."""
        self._batches[batch.department, batch.batch] = batch
        self._dirty = True

    def batch_of_sequence(self, sequence: int) -> Batch:
        return next(batch for batch in self._batches.values() if batch.sequence == sequence)

    def forget_before(self, at: int) -> None:
        """Versions that were already replaced at `at` can no longer be read afterwards."""
        commits = self.manifest.commits
        replaced = [later.version for later in commits if later.at <= at]
        if replaced and replaced[-1] > commits[0].version:
            self._since = replaced[-1]
            self._dirty = True

    def destroy(self, category: str) -> None:
        if category not in self._destroyed:
            self._destroyed = (*self._destroyed, category)
            self._dirty = True

    def commit(self) -> None:
        """Nothing is written when nothing changed."""
        if not self._dirty:
            return
        for folder in {path.parent for path in self._paths}:
            sync_folder(folder)
        kept = [
            replace(one, removed=self.version) if one.name in self._removed else one
            for one in self.manifest.segments
            if one.category not in self._destroyed and (one.removed is None or one.removed > self._since)
        ]
        added = [writer.segment(self.version) for writer in self._writers]
        commits = [commit for commit in self.manifest.commits if commit.version >= self._since]
        self._decided = True
        self._vault.write_manifest(
            build_manifest(
                self.version,
                (*commits, Commit(self.version, self._vault.now())),
                (*kept, *added),
                tuple(self._batches.values()),
                self._destroyed,
            )
        )

    def roll_back(self) -> None:
        """Once the manifest is being replaced its files stay: whether it was is for the next reader to see, and
        `recover` removes what it does not name."""
        if self._decided:
            return
        for path in self._paths:
            path.unlink(missing_ok=True)
