"""One-coefficient scoring: R = x*W + u*P + (flood on coefficient 0, e2), switched to q0, of which c0[0] and c1 leave.

x(X) = sum over active cells j of -X^(N-j) (+1 for j = 0), so the constant coefficient of w*x is the sum of the active
cells' points. Only c0[0] of the first component is ever computed: it is two inner products over the integers. The
second component is computed in full by the exact transform. Steps, bounds and the proof of the cap: docs/protocol.md.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, Residues
from xinyidai.parameters import ParameterSet

from enclave.scoring.masking import Mask
from enclave.scoring.transform import Integers, Spectrum, backward, forward, limb_spectra, recombine


@dataclass(frozen=True, slots=True, eq=False)
class PreparedModel:
    """W and P as the evaluation wants them: about 0.9 MB a model."""

    parameters: ParameterSet
    weights: Spectrum
    """Limb spectra of w1, shape (5, N/2)."""
    zero: Spectrum
    """Limb spectra of p1."""
    weights_c0: tuple[Integers, Integers]
    """Coefficients of w0 modulo q0 and q1, arranged so that an inner product with x gives the constant coefficient."""
    zero_c0: tuple[Integers, Integers]


def prepare(parameters: ParameterSet, weights: Residues, zero: Residues) -> PreparedModel:
    """From both components of W and P in coefficient form, shape (2, 2, N) each."""
    return PreparedModel(
        parameters,
        limb_spectra(parameters, weights[1]),
        limb_spectra(parameters, zero[1]),
        _mirrored(parameters, weights[0]),
        _mirrored(parameters, zero[0]),
    )


def record_polynomial(parameters: ParameterSet, active: NDArray[np.int64]) -> Integers:
    """x as a dense vector of N coefficients; `active`: cell indices 0..N-1."""
    x = np.zeros(parameters.degree, np.int64)
    x[(parameters.degree - active) % parameters.degree] = -1
    x[0] = -x[0]
    return x


def evaluate(model: PreparedModel, active: NDArray[np.int64], mask: Mask) -> AnswerCiphertext:
    """The answer for the active cells. An empty `active` gives the answer that holds nothing: mask and flood alone.

    Deterministic. Raises nothing that depends on the cells.
    """
    parameters = model.parameters
    x = record_polynomial(parameters, active)
    return AnswerCiphertext(parameters, _first(model, x, mask), _second(model, x, mask))


def _mirrored(parameters: ParameterSet, component: Residues) -> tuple[Integers, Integers]:
    """y with <a, y> = constant coefficient of a * b: y_0 = b_0, y_k = -b_(N-k)."""
    rows = []
    for row, prime in zip(component.astype(np.int64), parameters.primes, strict=True):
        mirrored = np.concatenate([row[:1], prime - row[:0:-1]])
        mirrored[mirrored == prime] = 0
        rows.append(mirrored)
    return rows[0], rows[1]


def _inner(vector: Integers, mirrored: Integers, prime: int) -> int:
    """Exact: halves of 30 bits times ternary, summed over N = 2^12, stay below 2^43."""
    low = int(np.dot(vector, mirrored & 0x3FFFFFFF))
    high = int(np.dot(vector, mirrored >> 30))
    return (low + (high << 30)) % prime


def _first(model: PreparedModel, x: Integers, mask: Mask) -> int:
    """c0[0] after flood, modulus switch and rounding, as 16 bits."""
    parameters = model.parameters
    q0, q1 = parameters.primes
    residue0, residue1 = (
        (_inner(x, model.weights_c0[i], prime) + _inner(mask.u, model.zero_c0[i], prime)) % prime
        for i, prime in enumerate(parameters.primes)
    )
    lifted = residue1 + q1 * ((residue0 - residue1) * pow(q1, -1, q0) % q0)
    flooded = (lifted + mask.flood) % parameters.modulus
    switched = ((2 * flooded + q1) // (2 * q1)) % q0
    shift = parameters.first_component_shift
    return (switched + (1 << (shift - 1))) >> shift


def _second(model: PreparedModel, x: Integers, mask: Mask) -> Residues:
    """c1 after the error and the modulus switch, modulo q0."""
    parameters = model.parameters
    q0, q1 = parameters.primes
    spectra = forward(np.stack([x, mask.u]).astype(np.float64))
    limbs = backward(model.weights * spectra[0] + model.zero * spectra[1])
    modulo_q0, modulo_q1 = recombine(parameters, limbs)
    modulo_q1 = (modulo_q1 + mask.error) % q1
    centred = np.where(modulo_q1 > q1 // 2, modulo_q1 - q1, modulo_q1) % q0
    switched: Residues = ((modulo_q0 + mask.error - centred) % q0 * pow(q1, -1, q0) % q0).astype(np.uint64)
    return switched
