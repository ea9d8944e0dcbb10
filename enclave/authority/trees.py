"""Receiving a tree ensemble: its frames one by one, bounded and digested as they come, into a folder of their own."""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from xinyidai.files import sync_folder
from xinyidai.framing import FrameError, FrameKind, decode_leaves, read_seed
from xinyidai.parameters import TREES_8192
from xinyidai.reasons import Reason
from xinyidai.requests import tree_model_id

from enclave.authority.models import Upload, VerifiedRegistration
from enclave.errors import Refused
from enclave.scoring.tree_files import UPLOAD, key_kinds
from enclave.scoring.trees import packed_columns

_PARTIAL: Final = ".partial-"


class TreeStore:
    """The folder of tree ensembles, 0700: one folder a model, under its id."""

    def __init__(self, root: Path) -> None:
        """Throws away what an interrupted process left half-received."""
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in root.glob(f"{_PARTIAL}*"):
            shutil.rmtree(left)

    def receive(self, registration: VerifiedRegistration, cells: int) -> "TreeReceiver":
        """`cells`: D of the catalogue in force."""
        return TreeReceiver(Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=self.root)), registration, cells)

    def keep(self, folder: Path, model_id: str) -> None:
        """Put a checked upload in its place, durably. What is there already has the same content: its id says so."""
        target = self.root / model_id
        if target.exists():
            shutil.rmtree(folder)
            return
        folder.rename(target)
        sync_folder(self.root)

    def forget(self, model_id: str) -> None:
        """Of a model that was refused in the end."""
        self.discard(self.root / model_id)

    def discard(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


class TreeReceiver:
    """Takes exactly the frames one model consists of, in order; memory stays at one frame."""

    def __init__(self, folder: Path, registration: VerifiedRegistration, cells: int) -> None:
        self.folder = folder
        self._registration = registration
        self._cells = cells
        self._kinds: list[FrameKind] = [FrameKind.LEAVES]
        self._taken = 0
        self._kept: dict[FrameKind, bytes] = {}
        self._seeds: dict[bytes, None] = {}
        self._weights = hashlib.sha256()
        self._file = (folder / UPLOAD).open("wb")

    def take(self, untrusted_frame: bytes) -> None:
        """Raises `FrameError` or `Refused`."""
        if self._taken == len(self._kinds):
            raise FrameError(Reason.FRAME_LENGTH, f"this model has {len(self._kinds)} frames and no more")
        kind = self._kinds[self._taken]
        seed = read_seed(untrusted_frame, kind, TREES_8192)
        if kind is FrameKind.LEAVES:
            shape, _ = decode_leaves(untrusted_frame)
            self._kinds = key_kinds(shape) + [FrameKind.COLUMNS] * packed_columns(self._cells, shape.packing)
        self._claim_seed(seed)
        if kind is not FrameKind.ZERO:
            self._weights.update(untrusted_frame)
        if kind in (FrameKind.LEAVES, FrameKind.ZERO):
            self._kept[kind] = untrusted_frame
        self._file.write(untrusted_frame)
        self._taken += 1

    def finish(self) -> Upload:
        """Raises `FrameError` when frames are missing, `Refused` when they are not those the registration names."""
        self.close()
        if self._taken != len(self._kinds):
            raise FrameError(Reason.FRAME_LENGTH, f"{self._taken} of {len(self._kinds)} frames came; send them all")
        document = self._registration.document
        zero = self._kept[FrameKind.ZERO]
        digests = (self._weights.hexdigest(), hashlib.sha256(zero).hexdigest())
        if digests != (document.weights_digest, document.zero_digest):
            raise Refused(Reason.SIGNATURE_INVALID, "the frames are not those the registration was signed for")
        bank = self._registration.bank
        return Upload(
            document,
            bank,
            self._registration.signer,
            self._kept[FrameKind.LEAVES],
            zero,
            tuple(self._seeds),
            tree_model_id(document, bank),
        )

    def close(self) -> None:
        self._file.close()

    def _claim_seed(self, seed: bytes) -> None:
        if seed in self._seeds:
            raise Refused(
                Reason.SEED_REUSED, "two ciphertexts use one seed, which would reveal the model; encrypt anew"
            )
        self._seeds[seed] = None
