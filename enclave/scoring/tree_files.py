"""Tree ensembles on disk: an upload's frames as they came, and the expanded columns that workers map into memory.

A folder of a model holds

    upload       every frame in the order it travels: leaves, zero, switching keys, columns; gone once expanded
    keys         leaves, zero and switching keys, as they came
    columns.npy  both components of every packed column, shape (ciphertexts, 2, primes, N)

Workers share one copy of the columns through the page cache. Nothing here is secret: it is all encrypted under the
bank's key.
"""

import os
from pathlib import Path
from typing import Final

import numpy as np
from xinyidai.files import write_whole
from xinyidai.framing import FrameError, FrameKind, TreeShape, decode_leaves, decode_seeded, frame_bytes
from xinyidai.parameters import TREES_8192
from xinyidai.reasons import Reason
from xinyidai.seal import expand
from xinyidai.seal_trees import switching_frames

from enclave.scoring.trees import PreparedTrees, prepare

UPLOAD: Final = "upload"
_KEYS: Final = "keys"
_COLUMNS: Final = "columns.npy"
_LEAVES_BYTES: Final = frame_bytes(FrameKind.LEAVES, TREES_8192)


def key_kinds(shape: TreeShape) -> list[FrameKind]:
    """The kinds of the frames before the columns, in order."""
    return [FrameKind.LEAVES, FrameKind.ZERO, *[FrameKind.SWITCH] * switching_frames(TREES_8192, shape.packing)]


def expand_upload(folder: Path) -> None:
    """Check every frame of `upload` with the library and store it for evaluation, durably.

    Raises `FrameError` or `SealError` when a frame is refused; the caller throws the folder away.
    """
    length = frame_bytes(FrameKind.COLUMNS, TREES_8192)
    with (folder / UPLOAD).open("rb") as file:
        leaves = file.read(_LEAVES_BYTES)
        kinds = key_kinds(decode_leaves(leaves)[0])
        keys = leaves + file.read(sum(frame_bytes(kind, TREES_8192) for kind in kinds[1:]))
        write_whole(folder / _KEYS, keys)
        count, rest = divmod(os.fstat(file.fileno()).st_size - len(keys), length)
        if count < 1 or rest:
            raise FrameError(Reason.FRAME_LENGTH, "the upload does not consist of whole frames")
        dimensions = (count, 2, len(TREES_8192.primes), TREES_8192.degree)
        columns = np.lib.format.open_memmap(folder / _COLUMNS, "w+", np.dtype(np.uint64), dimensions)
        for at in range(count):
            columns[at] = expand(decode_seeded(file.read(length), FrameKind.COLUMNS))
        columns.flush()
    open_trees(folder)
    (folder / UPLOAD).unlink()


def open_trees(folder: Path) -> PreparedTrees:
    """One model, its columns mapped into memory. Raises `FrameError`, `SealError` or `OSError`."""
    raw = (folder / _KEYS).read_bytes()
    shape, leaves = decode_leaves(raw[:_LEAVES_BYTES])
    at, frames = _LEAVES_BYTES, []
    for kind in key_kinds(shape)[1:]:
        end = at + frame_bytes(kind, TREES_8192)
        frames.append(decode_seeded(raw[at:end], kind))
        at = end
    columns = np.load(folder / _COLUMNS, mmap_mode="r", allow_pickle=False)
    return prepare(TREES_8192, shape, leaves, frames[0], frames[1:], columns)
