"""Tree ensembles for the in-memory service: taken in frame by frame, evaluated by the library, masked by nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import (
    AnswerCiphertext,
    FrameError,
    FrameKind,
    SeededCiphertext,
    TreeShape,
    decode_leaves,
    decode_seeded,
)
from xinyidai.parameters import TREES_8192 as PARAMETERS
from xinyidai.reasons import Reason
from xinyidai.seal import expand
from xinyidai.seal_trees import TreeEvaluation, switching_frames

_PRIMES: Final = np.array(PARAMETERS.primes, np.uint64)[None, :, None]


@dataclass(frozen=True, slots=True, eq=False)
class HeldTrees:
    """One ensemble; its columns stay as they came, half the size, and are expanded when a record asks for them."""

    evaluation: TreeEvaluation
    packing: int
    columns: tuple[SeededCiphertext, ...]

    def evaluate(self, active: NDArray[np.int64], shift_points: int) -> AnswerCiphertext:
        """As `bank_sdk.testing.evaluation.evaluate`, and hiding as little."""
        total = np.zeros((2, len(PARAMETERS.primes), PARAMETERS.degree), np.uint64)
        for cell in active.tolist():
            packed, places = expand(self.columns[cell >> self.packing]), cell & ((1 << self.packing) - 1)
            fallen = _PRIMES - packed[..., :places]
            total = (total + np.concatenate([packed[..., places:], fallen], axis=-1)) % _PRIMES
        # The library refuses a product with zero; one coefficient will do.
        mask = np.zeros(PARAMETERS.degree, np.int64)
        mask[0] = 1
        first, second = self.evaluation.evaluate(total, mask)
        point = PARAMETERS.score_step * PARAMETERS.modulus // PARAMETERS.plain_modulus
        low = _switched(first[:, :1], shift_points * point, PARAMETERS.first_component_shift)
        c0 = int(low[0]) % (1 << PARAMETERS.first_component_bits)
        c1 = _switched(second, 0, PARAMETERS.second_component_shift) % (1 << PARAMETERS.second_component_bits)
        return AnswerCiphertext(PARAMETERS, c0, c1.astype(np.uint64))


def _switched(residues: NDArray[np.uint64], added: int, shift: int) -> NDArray[np.object_]:
    """(value + added) / q1 and then / 2^shift, both to nearest, from residues modulo q0 and q1, shape (2, count)."""
    q0, q1 = PARAMETERS.primes[:2]
    modulo_q0, modulo_q1 = residues.astype(object)
    lifted = modulo_q1 + q1 * ((modulo_q0 - modulo_q1) * pow(q1, -1, q0) % q0) + added
    down: NDArray[np.object_] = (2 * lifted + q1) // (2 * q1) % q0
    rounded: NDArray[np.object_] = (down + (1 << (shift - 1))) >> shift
    return rounded


def receive(frames: Iterator[bytes], cells: int) -> tuple[HeldTrees, tuple[str, str]]:
    """An ensemble on a catalogue of so many cells, and the digests of its frames as a registration names them.

    Raises `FrameError` for frames that are none, too few or too many, `SealError` for what the library refuses.
    """
    weights, zero_digest = hashlib.sha256(), ""
    raw_leaves = next(frames, b"")
    shape, leaves = decode_leaves(raw_leaves)
    weights.update(raw_leaves)
    found: dict[FrameKind, list[SeededCiphertext]] = {kind: [] for kind in FrameKind}
    for kind in _kinds(shape, cells):
        raw = next(frames, b"")
        found[kind].append(decode_seeded(raw, kind))
        if kind is FrameKind.ZERO:
            zero_digest = hashlib.sha256(raw).hexdigest()
        else:
            weights.update(raw)
    if next(frames, None) is not None:
        raise FrameError(Reason.FRAME_LENGTH, "the model has more frames than its shape says")
    (zero,) = found[FrameKind.ZERO]
    evaluation = TreeEvaluation(PARAMETERS, shape, leaves, zero, found[FrameKind.SWITCH])
    return HeldTrees(evaluation, shape.packing, tuple(found[FrameKind.COLUMNS])), (weights.hexdigest(), zero_digest)


def _kinds(shape: TreeShape, cells: int) -> list[FrameKind]:
    """Of the frames behind the leaves."""
    switching = [FrameKind.SWITCH] * switching_frames(PARAMETERS, shape.packing)
    return [FrameKind.ZERO, *switching, *[FrameKind.COLUMNS] * (-(-cells >> shape.packing))]
