"""A plain evaluation under encryption: x * W, switched to the small prime, with no mask and no flood."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, Residues
from xinyidai.parameters import ParameterSet

_HALF_BITS = 30


def evaluate(
    parameters: ParameterSet, weights: Residues, active: NDArray[np.int64], shift_points: int
) -> AnswerCiphertext:
    """An answer that decrypts to the sum of the active cells' points, plus `shift_points`.

    `weights`: both components of the model in coefficient form, shape (2, 2, N). `active`: one layout index a feature.
    `shift_points` stands for what a coarser precision does to the score. Hides nothing from the bank.
    """
    return AnswerCiphertext(
        parameters, _first(parameters, weights[0], active, shift_points), _second(parameters, weights[1], active)
    )


def _first(parameters: ParameterSet, component: Residues, active: NDArray[np.int64], shift_points: int) -> int:
    q0, q1 = parameters.primes
    # Multiplying by the record turns coefficient j into the constant one, for every active j.
    residue0, residue1 = (sum(int(value) for value in component[i][active]) % parameters.primes[i] for i in (0, 1))
    lifted = residue1 + q1 * ((residue0 - residue1) * pow(q1, -1, q0) % q0)
    shifted = (lifted + shift_points * parameters.modulus // parameters.plain_modulus) % parameters.modulus
    switched = ((2 * shifted + q1) // (2 * q1)) % q0
    bits = parameters.first_component_shift
    return (switched + (1 << (bits - 1))) >> bits


def _second(parameters: ParameterSet, component: Residues, active: NDArray[np.int64]) -> Residues:
    q0, q1 = parameters.primes
    modulo_q0, modulo_q1 = (_rotated_sum(component[i], parameters.primes[i], active) for i in (0, 1))
    centred = np.where(modulo_q1 > q1 // 2, modulo_q1 - q1, modulo_q1) % q0
    switched: Residues = ((modulo_q0 - centred) % q0 * pow(q1, -1, q0) % q0).astype(np.uint64)
    return switched


def _rotated_sum(row: Residues, prime: int, active: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sum over active j of the row rotated down by j places, what falls off coming back negated (X^N = -1)."""
    negated = (np.uint64(prime) - row) % np.uint64(prime)
    windows = sliding_window_view(np.concatenate([row, negated]), row.size)[active]
    high = (windows >> np.uint64(_HALF_BITS)).sum(axis=0, dtype=np.uint64).astype(object)
    low = (windows & np.uint64((1 << _HALF_BITS) - 1)).sum(axis=0, dtype=np.uint64).astype(object)
    total: NDArray[np.int64] = (((high << _HALF_BITS) + low) % prime).astype(np.int64)
    return total
