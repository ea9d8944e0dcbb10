"""Exact products in Z[X]/(X^N + 1) by a floating-point transform.

A product x * w with small x is computed over the integers, with w cut into limbs, and rounded. X^N + 1 splits over the
complex numbers into X^(N/2) - i and its conjugate; a real polynomial is determined by its residue modulo the first, so
one complex transform of length N/2, twisted by the N-th half root, does the work of a negacyclic one of length N.

Why the rounding is exact, for every input. Operands: |x|_1 <= 2 * 2^12 (x and u together, ternary), limbs centred with
|w_k| <= 2^19. A radix-2 transform of length 2^11 in binary64 has relative error at most 11 * 4 * 2^-53 in the l2 norm
(Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 24.1, with his bound of the butterfly error);
three of them and the product stay below 2^-45. The exact result has l2 norm at most |x|_1 * |w|_2 <= 2^13 * 2^25, so no
coefficient is off by more than 2^38 * 2^-45 = 2^-7 < 1/2.

Time does not depend on the operands: every vector is dense and of length N, and no value is subnormal.
"""

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import Residues
from xinyidai.parameters import ParameterSet

Spectrum = NDArray[np.complex128]
Integers = NDArray[np.int64]

_LIMB_BITS: Final = ((15, 15), (20, 20, 20))
"""How a residue below q0 (29 bits) and one below q1 (60 bits) is cut."""


@cache
def _twist(degree: int) -> Spectrum:
    twist: Spectrum = np.exp(1j * np.pi * np.arange(degree // 2) / degree)
    return twist


def forward(polynomials: NDArray[np.float64]) -> Spectrum:
    """Shape (k, N) of integers to (k, N/2) of spectra."""
    half = polynomials.shape[1] // 2
    folded = polynomials[:, :half] + 1j * polynomials[:, half:]
    return np.fft.fft(folded * _twist(polynomials.shape[1]), axis=1)


def backward(spectra: Spectrum) -> Integers:
    """Inverse of `forward`, rounded to integers: shape (k, N/2) to (k, N)."""
    folded = np.fft.ifft(spectra, axis=1) * np.conj(_twist(2 * spectra.shape[1]))
    rounded: Integers = np.rint(np.concatenate([folded.real, folded.imag], axis=1)).astype(np.int64)
    return rounded


def limb_spectra(parameters: ParameterSet, component: Residues) -> Spectrum:
    """Spectra of the centred limbs of one ciphertext component, shape (2 primes, N) to (5, N/2)."""
    limbs = []
    for row, prime, widths in zip(component, parameters.primes, _LIMB_BITS, strict=True):
        rest = row.astype(np.int64)
        rest = np.where(rest > prime // 2, rest - prime, rest)
        for width in widths[:-1]:
            low = ((rest + (1 << (width - 1))) & ((1 << width) - 1)) - (1 << (width - 1))
            limbs.append(low)
            rest = (rest - low) >> width
        limbs.append(rest)
    return forward(np.stack(limbs).astype(np.float64))


def recombine(parameters: ParameterSet, limbs: Integers) -> tuple[Integers, Integers]:
    """Five limb products, each below 2^32 in absolute value, to residues modulo q0 and q1."""
    q0, q1 = parameters.primes
    modulo_q0 = (limbs[0] + (limbs[1] << 15)) % q0
    # 2^60 = q1 + fold, and fold is 14 bits: the top limb's overflow past 2^60 folds back without leaving 64 bits.
    fold = (1 << 60) - q1
    top_high, top_low = limbs[4] >> 20, limbs[4] & 0xFFFFF
    modulo_q1 = ((top_low << 40) + top_high * fold + (limbs[3] << 20) + limbs[2]) % q1
    return modulo_q0, modulo_q1
