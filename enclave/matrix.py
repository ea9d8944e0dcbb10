"""The coded features of every enterprise, memory-mapped, by snapshot.

A snapshot is a folder written once: `cells.npy` (uint16, enterprises x features, the cell index within the feature),
`enterprises.npy` (sorted USCCs) and `manifest.json` with the digests of both. It appears by one atomic rename; a
pointer file, replaced atomically, says which is current.
"""

import hashlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue
from xinyidai.files import write_whole

from enclave.environment import refuse_loose

_CURRENT: Final = "CURRENT"


class SnapshotError(RuntimeError):
    """A snapshot is missing, damaged or of another catalogue; the text says which, and what to run."""


class Matrix:
    """One snapshot, read-only."""

    def __init__(
        self,
        snapshot_id: str,
        as_of: str,
        enterprises: NDArray[np.bytes_],
        cells: NDArray[np.uint16],
        empty: Any,
        accounted: int = 0,
    ) -> None:
        """`accounted`: the last change of what is left out (`enclave.authority.revisions`) that is in the cells."""
        self.snapshot_id = snapshot_id
        self.as_of = as_of
        self.accounted = accounted
        self._enterprises = enterprises
        self._cells = cells
        self._empty: NDArray[np.uint16] = empty

    def __len__(self) -> int:
        return int(self._enterprises.size)

    def row(self, enterprise: str) -> NDArray[np.uint16]:
        """Cells of one enterprise, shape (features,). An enterprise nobody holds records of has every cell missing:
        whether there are records is itself something an asker must not learn, so this is never an error."""
        at = self._position(enterprise)
        if at is None:
            return self._empty
        found: NDArray[np.uint16] = self._cells[at]
        return found

    def __contains__(self, enterprise: str) -> bool:
        return self._position(enterprise) is not None

    def _position(self, enterprise: str) -> int | None:
        wanted = np.bytes_(enterprise.encode())
        at = int(np.searchsorted(self._enterprises, wanted))
        return at if at < len(self) and self._enterprises[at] == wanted else None


def missing_cells(catalogue: Catalogue) -> NDArray[np.uint16]:
    return np.array([feature.missing for feature in catalogue.features], np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class CellSelector:
    """From a row of cells to the active indices of the model polynomial, for one set of authorized categories."""

    offsets: NDArray[np.int64]
    authorized: NDArray[np.bool_]
    withheld: NDArray[np.int64]
    """Global index of each feature's not-authorized cell."""
    chosen: NDArray[np.bool_]
    """The features this answer is about."""

    @classmethod
    def build(cls, catalogue: Catalogue, categories: Sequence[str], only: str = "") -> "CellSelector":
        """A feature is used when every category it reads is authorized. `only`: answer for this category alone."""
        allowed = set(categories)
        offsets = np.array(catalogue.layout.offsets, np.int64)
        cells = np.array([feature.not_authorized for feature in catalogue.features], np.int64)
        return cls(
            offsets,
            np.array([set(feature.sources) <= allowed for feature in catalogue.features]),
            offsets + cells,
            np.array([only in ("", feature.category) for feature in catalogue.features]),
        )

    def active(self, row: NDArray[np.uint16]) -> NDArray[np.int64]:
        """One index a chosen feature, rising."""
        indices = np.where(self.authorized, self.offsets + row.astype(np.int64), self.withheld)
        picked: NDArray[np.int64] = indices[self.chosen]
        return picked


class SnapshotStore:
    """The snapshots under one folder (0700)."""

    def __init__(self, root: Path, catalogue: Catalogue) -> None:
        self._root = self.root = root
        self._catalogue = catalogue

    def write(self, as_of: date, enterprises: NDArray[np.bytes_], cells: NDArray[np.uint16], accounted: int = 0) -> str:
        """Write a snapshot and make it current. `enterprises` sorted and distinct. Returns the snapshot id."""
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_loose(self._root)
        partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=self._root))
        try:
            files = {"cells.npy": cells, "enterprises.npy": enterprises}
            for name, array in files.items():
                with (partial / name).open("wb") as file:
                    np.save(file, array, allow_pickle=False)
                    file.flush()
                    os.fsync(file.fileno())
            digests = {name: _digest(partial / name) for name in files}
            # Random, because receipts name it: a digest of the cells would let their readers check guesses.
            snapshot_id = secrets.token_hex(16)
            head = {"snapshot": snapshot_id, "as_of": as_of.isoformat(), "catalogue": self._catalogue.digest}
            write_whole(partial / "manifest.json", json.dumps({**head, "accounted": accounted, **digests}).encode())
            partial.rename(self._root / snapshot_id)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        write_whole(self._root / _CURRENT, snapshot_id.encode())
        return snapshot_id

    def current_id(self) -> str:
        """Raises `SnapshotError` when there is none yet."""
        try:
            return (self._root / _CURRENT).read_text().strip()
        except FileNotFoundError as error:
            raise SnapshotError("no snapshot yet; run `xyd-enclave load` first") from error

    def open(self, snapshot_id: str) -> Matrix:
        """Map a snapshot after checking permissions and digests. Raises `SnapshotError`."""
        folder = self._root / snapshot_id
        refuse_loose(folder)
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
        except (OSError, ValueError) as error:
            raise SnapshotError("the current snapshot is incomplete; run `xyd-enclave load` again") from error
        if manifest.get("snapshot") != snapshot_id or any(
            _digest(folder / name) != manifest.get(name) for name in ("cells.npy", "enterprises.npy")
        ):
            raise SnapshotError("the current snapshot was changed on disk; run `xyd-enclave load` again")
        if manifest["catalogue"] != self._catalogue.digest:
            raise SnapshotError("the current snapshot is of another catalogue; run `xyd-enclave load` again")
        cells = np.load(folder / "cells.npy", mmap_mode="r", allow_pickle=False)
        enterprises = np.load(folder / "enterprises.npy", mmap_mode="r", allow_pickle=False)
        empty, accounted = missing_cells(self._catalogue), int(manifest.get("accounted", 0))
        return Matrix(snapshot_id, manifest["as_of"], enterprises, cells, empty, accounted)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SnapshotError("the current snapshot is incomplete; run `xyd-enclave load` again") from error
