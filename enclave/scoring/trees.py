"""Scoring trees: the active columns of path costs are added, the library selects leaves, one coefficient leaves.

Column j of path costs lies in packed ciphertext j // k at the powers of X that are j % k modulo k, k = 2^packing, so
multiplying by X^-(j % k) brings it to the multiples of k, where the projection finds it. Steps, bounds and the proof of
the cap: docs/protocol.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, Residues, SeededCiphertext, TreeShape
from xinyidai.parameters import TreeParameterSet
from xinyidai.seal_trees import TreeEvaluation

from enclave.scoring.masking import Mask

_TERMS: Final = 15
"""Residues below 2^60 that may be added to a reduced one before 64 bits are full."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedTrees:
    """One model, ready to evaluate."""

    parameters: TreeParameterSet
    columns: Residues
    """Packed columns of path costs, both components, shape (ciphertexts, 2, primes, N); usually a map of a file."""
    evaluation: TreeEvaluation


def packed_columns(cells: int, packing: int) -> int:
    """How many ciphertexts hold one column for each of `cells` cells."""
    return -(-cells >> packing)


def prepare(
    parameters: TreeParameterSet,
    shape: TreeShape,
    leaves: SeededCiphertext,
    zero: SeededCiphertext,
    switching: Sequence[SeededCiphertext],
    columns: Residues,
) -> PreparedTrees:
    """Raises `SealError` when the library refuses a part. `columns` as in `PreparedTrees`."""
    return PreparedTrees(parameters, columns, TreeEvaluation(parameters, shape, leaves, zero, switching))


def evaluate(model: PreparedTrees, active: NDArray[np.int64], mask: Mask) -> AnswerCiphertext:
    """The answer for the active cells, one a feature. Deterministic; the number of cells is all its time depends on."""
    combined = combine(model, active)
    return finish(model.parameters, model.evaluation.evaluate(combined, mask.u), mask)


def evaluate_nothing(model: PreparedTrees, mask: Mask) -> AnswerCiphertext:
    """The answer that holds nothing: mask and flood alone."""
    return finish(model.parameters, model.evaluation.mask(mask.u), mask)


def combine(model: PreparedTrees, active: NDArray[np.int64]) -> Residues:
    """Sum over the active cells of X^-(j mod k) times its packed ciphertext, shape (2, primes, N), reduced."""
    packing, degree = model.evaluation.shape.packing, model.parameters.degree
    primes = np.array(model.parameters.primes, np.uint64)[None, :, None]
    total = np.zeros((2, len(model.parameters.primes), degree), np.uint64)
    for count, cell in enumerate(active.tolist(), 1):
        packed, shift = model.columns[cell >> packing], cell & ((1 << packing) - 1)
        total[..., : degree - shift] += packed[..., shift:]
        # X^-1 = -X^(N-1): what leaves at the bottom comes back at the top with its sign changed.
        total[..., degree - shift :] += primes - packed[..., :shift]
        if count % _TERMS == 0:
            total %= primes
    return total % primes


def finish(parameters: TreeParameterSet, result: Residues, mask: Mask) -> AnswerCiphertext:
    """Flood and error, the switch from q0 * q1 to q0, and rounding; `result` has shape (2, 2, N)."""
    return AnswerCiphertext(
        parameters, _first(parameters, result[0, :, 0], mask.flood), _second(parameters, result, mask)
    )


def _first(parameters: TreeParameterSet, residues: Residues, flood: int) -> int:
    q0, q1 = parameters.primes[:2]
    residue0, residue1 = (int(residue) for residue in residues)
    lifted = residue1 + q1 * ((residue0 - residue1) * pow(q1, -1, q0) % q0)
    flooded = (lifted + flood) % parameters.modulus
    switched = ((2 * flooded + q1) // (2 * q1)) % q0
    shift = parameters.first_component_shift
    # At the very top rounding reaches 2^bits, which is 0 up to 2^56 - q0: the wire has no bit for it.
    return ((switched + (1 << (shift - 1))) >> shift) % (1 << parameters.first_component_bits)


def _second(parameters: TreeParameterSet, result: Residues, mask: Mask) -> Residues:
    q0, q1 = parameters.primes[:2]
    modulo_q0, modulo_q1 = (row.astype(np.int64) for row in result[1])
    modulo_q1 = (modulo_q1 + mask.error) % q1
    centred = np.where(modulo_q1 > q1 // 2, modulo_q1 - q1, modulo_q1) % q0
    switched = _times((modulo_q0 + mask.error - centred) % q0, pow(q1, -1, q0), q0)
    shift = parameters.second_component_shift
    rounded = (switched + (1 << (shift - 1))) >> shift
    return (rounded & ((1 << parameters.second_component_bits) - 1)).astype(np.uint64)


def _times(values: NDArray[np.int64], factor: int, prime: int) -> NDArray[np.int64]:
    """values * factor modulo a prime below 2^56, exactly.

    The quotient, below 2^56, is found in binary64 to within 2^5 + 1; so the remainder computed modulo 2^64 with it is
    the true one plus at most 33 primes, which is below 2^63, and reducing it is exact.
    """
    quotient = np.rint(values.astype(np.float64) * (factor / prime)).astype(np.int64)
    with np.errstate(over="ignore"):
        remainder: NDArray[np.int64] = values * np.int64(factor) - quotient * np.int64(prime)
    return remainder % prime
