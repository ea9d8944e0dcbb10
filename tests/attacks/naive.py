"""The obvious design, for attacks to succeed against: multiply the encrypted weights by the record, return the result.

    R = x*W, perhaps plus a flood on the first component, perhaps switched down to q0; all of it is returned.

It stands on the same primitives as ours (the same ciphertexts, exact products, the same record polynomial), so that an
attack that works here and fails there fails for the reason the protocol gives. `HostileBank` is the other side: it
knows its own key, so it can make W decrypt to any polynomial it likes, noise included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import AnswerCiphertext, Residues, SeededCiphertext
from xinyidai.parameters import ParameterSet
from xinyidai.seal import SecretKey, expand

from enclave.scoring.linear import record_polynomial
from enclave.scoring.transform import Integers, backward, forward, limb_spectra, recombine
from tests.support.ring import lift, lower, secret
from tests.support.scoring import BankModel


def times(parameters: ParameterSet, small: Integers, component: Residues) -> Residues:
    """small * component modulo both primes, exactly; `small` ternary, component of shape (2, N)."""
    spectrum = forward(small[None, :].astype(np.float64))[0]
    rows = recombine(parameters, backward(limb_spectra(parameters, component) * spectrum))
    return np.stack([row % prime for row, prime in zip(rows, parameters.primes, strict=True)]).astype(np.uint64)


class Naive:
    """The data side of the obvious design."""

    def __init__(self, parameters: ParameterSet) -> None:
        self.parameters = parameters

    def evaluate(self, model: BankModel, active: NDArray[np.int64], *, flood_bits: int = 0, seed: int = 0) -> Residues:
        """The whole ciphertext, shape (2, 2, N). `flood_bits`: an honest flood of that size on every coefficient."""
        x = record_polynomial(self.parameters, active)
        first, second = (times(self.parameters, x, component) for component in model.weights)
        if flood_bits:
            generator = np.random.default_rng(seed)
            flood = generator.integers(-(1 << (flood_bits - 1)), 1 << (flood_bits - 1), self.parameters.degree)
            primes = np.array(self.parameters.primes, np.int64)[:, None]
            first = ((first.astype(np.int64) + flood % primes) % primes).astype(np.uint64)
        return np.stack([first, second])

    def switched(self, ciphertext: Residues) -> Residues:
        """The same modulo q0 alone, shape (2, N): smaller, and as good for the bank."""
        q0, q1 = self.parameters.primes
        rows = [[(2 * c + q1) // (2 * q1) % q0 for c in lift(self.parameters, part)] for part in ciphertext]
        return np.array(rows, np.uint64)


def phase(parameters: ParameterSet, key: SecretKey, ciphertext: Residues) -> list[int]:
    """c0 + c1*s, centred modulo q: the message times Delta plus all the noise, which the key's owner reads at will."""
    q = parameters.modulus
    product = lift(parameters, times(parameters, secret(key), ciphertext[1]))
    total = [(a + b) % q for a, b in zip(lift(parameters, ciphertext[0]), product, strict=True)]
    return [value - q if value > q // 2 else value for value in total]


def answer_phase(parameters: ParameterSet, key: SecretKey, answer: AnswerCiphertext) -> int:
    """What an answer of ours holds for its bank: c0[0] + (c1*s)[0], centred modulo q0."""
    q0 = parameters.primes[0]
    s, c1 = secret(key), answer.c1.astype(np.int64)
    product = int(c1[0] * s[0]) - int(np.dot(c1[1:], s[:0:-1]))
    value = ((answer.c0 << parameters.first_component_shift) + product) % q0
    return value - q0 if value > q0 // 2 else value


@dataclass(frozen=True, slots=True, eq=False)
class HostileBank:
    """Makes seeded ciphertexts that any enclave must accept: the seed is honest, the first component is its choice."""

    parameters: ParameterSet
    key: SecretKey

    @classmethod
    def generate(cls, parameters: ParameterSet) -> "HostileBank":
        return cls(parameters, SecretKey.generate(parameters))

    def model(self, values: Sequence[int]) -> BankModel:
        """W with c0 + c1*s equal to `values` (N integers modulo q), exactly; P honest."""
        parameters = self.parameters
        honest = self.key.encrypt_zero()
        second = expand(honest)[1]
        product = lift(parameters, times(parameters, secret(self.key), second))
        first = [(v - p) % parameters.modulus for v, p in zip(values, product, strict=True)]
        chosen = SeededCiphertext(parameters, honest.seed, lower(parameters, first))
        return BankModel(self.key, expand(chosen), expand(self.key.encrypt_zero()))
