"""The ring Z[X]/(X^N + 1) by other means than the enclave's, to hold the enclave against.

`product` works over the integers by Kronecker substitution: one big multiplication of Python integers, no floating
point. `Division` works modulo the 29-bit prime by a number-theoretic transform; an attacker divides with it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, Residues
from xinyidai.parameters import ParameterSet
from xinyidai.seal import SecretKey

from enclave.scoring.linear import record_polynomial
from enclave.scoring.masking import Mask

Integers = NDArray[np.int64]

_SLOT = 16
"""Bytes a coefficient takes in the big integer: products stay below 2^128."""


def _pack(values: Sequence[int]) -> int:
    return int.from_bytes(b"".join(int(v).to_bytes(_SLOT, "little") for v in values), "little")


def _unpack(value: int, count: int) -> list[int]:
    words = np.frombuffer(value.to_bytes(_SLOT * count, "little"), "<u8").reshape(count, 2)
    return [int(low) + (int(high) << 64) for low, high in words]


def product(small: Sequence[int], large: Sequence[int], modulus: int) -> list[int]:
    """small * large in Z_modulus[X]/(X^N + 1), exactly. `small` may be negative; `large` lies in 0..modulus-1."""
    n = len(large)
    packed = _pack(large)
    plus = _unpack(_pack([max(int(s), 0) for s in small]) * packed, 2 * n)
    minus = _unpack(_pack([max(-int(s), 0) for s in small]) * packed, 2 * n)
    return [(plus[k] - plus[k + n] - minus[k] + minus[k + n]) % modulus for k in range(n)]


def lift(parameters: ParameterSet, residues: Residues) -> list[int]:
    """Coefficients modulo q from residues modulo both primes, shape (2, N)."""
    q0, q1 = parameters.primes
    inverse = pow(q1, -1, q0)
    return [int(b) + q1 * ((int(a) - int(b)) * inverse % q0) for a, b in zip(*residues, strict=True)]


def lower(parameters: ParameterSet, coefficients: Sequence[int]) -> Residues:
    """The inverse of `lift`."""
    return np.array([[c % prime for c in coefficients] for prime in parameters.primes], np.uint64)


def secret(key: SecretKey) -> Integers:
    """What the holder of a key knows. The handle hides it from accidents, not from its owner."""
    return key._coefficients


def exact_answer(
    parameters: ParameterSet, weights: Residues, zero: Residues, active: Integers, mask: Mask
) -> AnswerCiphertext:
    """The protocol's definition word by word, in integers: x*W + u*P + (flood, e2), switched to q0, c0[0] and c1."""
    q, (q0, q1), shift = parameters.modulus, parameters.primes, parameters.first_component_shift
    x, u = record_polynomial(parameters, active).tolist(), mask.u.tolist()
    first, second = (
        [a + b for a, b in zip(product(x, lift(parameters, w), q), product(u, lift(parameters, p), q), strict=True)]
        for w, p in zip(weights, zero, strict=True)
    )

    def switched(value: int) -> int:
        return (2 * (value % q) + q1) // (2 * q1) % q0

    c0 = (switched(first[0] + mask.flood) + (1 << (shift - 1))) >> shift
    c1 = [switched(value + int(e)) for value, e in zip(second, mask.error, strict=True)]
    return AnswerCiphertext(parameters, c0, np.array(c1, np.uint64))


class Division:
    """Division in Z_q0[X]/(X^N + 1), q0 = 1 mod 2N: the ring splits, so one division is N divisions of numbers."""

    def __init__(self, parameters: ParameterSet) -> None:
        self._n, self._q = parameters.degree, parameters.primes[0]
        generator = next(g for g in range(2, 1000) if pow(g, (self._q - 1) // 2, self._q) == self._q - 1)
        root = pow(generator, (self._q - 1) // (2 * self._n), self._q)
        self._twist = self._powers(root, self._n)
        self._untwist = self._powers(pow(root, -1, self._q), self._n)
        self._root = pow(root, 2, self._q)

    def _powers(self, base: int, count: int) -> NDArray[np.uint64]:
        powers = [1]
        for _ in range(count - 1):
            powers.append(powers[-1] * base % self._q)
        return np.array(powers, np.uint64)

    def _transform(self, values: NDArray[np.uint64], root: int) -> NDArray[np.uint64]:
        """Plain cyclic transform of length N by splitting into even and odd places."""
        if values.shape[0] == 1:
            return values
        even, odd = (self._transform(values[i::2], root * root % self._q) for i in (0, 1))
        turned = odd * self._powers(root, odd.shape[0]) % np.uint64(self._q)
        q = np.uint64(self._q)
        return np.concatenate([(even + turned) % q, (even + q - turned) % q])

    def divide(self, product: NDArray[np.uint64], factor: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """y with y * factor = product modulo q0. A factor without inverse (probability 2^-17) raises ValueError."""
        q = np.uint64(self._q)
        top, bottom = (self._transform(v * self._twist % q, self._root) for v in (product, factor))
        inverse = np.array([pow(int(b), -1, self._q) for b in bottom], np.uint64)
        back = self._transform(top * inverse % q, pow(self._root, -1, self._q))
        return back * self._untwist % q * np.uint64(pow(self._n, -1, self._q)) % q
