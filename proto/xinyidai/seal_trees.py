"""The library's part of scoring trees: switching keys, and the evaluation of an ensemble on encrypted path costs.

Companion of `seal`, on whose conventions it stands: library objects are built from residues and seeds that our own
framing has bounded, never from network bytes, and only residues leave.
"""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np
import tenseal.sealapi as sealapi
from numpy.typing import NDArray

from xinyidai.framing import SEED_BYTES, Residues, SeededCiphertext, TreeShape
from xinyidai.parameters import TreeParameterSet
from xinyidai.seal import (
    _CIPHERTEXT,
    _COUNT,
    _HEADER,
    _PLAINTEXT,
    _PRNG_RECORD_BYTES,
    SealError,
    SecretKey,
    _decompressed,
    _dump,
    _Library,
    _library,
    _load,
    load_seeded,
)

_PARMS_ID: Final = struct.Struct("<4Q")


def galois_elements(parameters: TreeParameterSet, packing: int) -> tuple[int, ...]:
    """N + 1, N / 2 + 1, ...: adding the image under the i-th keeps the coefficients at multiples of 2^(i + 1)."""
    return tuple((parameters.degree >> i) + 1 for i in range(packing))


def switching_frames(parameters: TreeParameterSet, packing: int) -> int:
    """How many SWITCH frames a model has: one a data prime, for relinearization and for each Galois element."""
    return len(parameters.primes) * (1 + packing)


def make_switching_keys(key: SecretKey, packing: int) -> tuple[SeededCiphertext, ...]:
    """The relinearization key, then the Galois keys in the order of `galois_elements`, each one frame a data prime.

    Residues are modulo the data primes and the special one, shape (primes + 1, N), in the library's transformed order.
    Raises `SealError` for a key that was loaded from a store.
    """
    parameters = key.parameters
    if key._library_key is None or not isinstance(parameters, TreeParameterSet):
        raise SealError("switching keys are made once, together with a fresh key of the trees' parameter set")
    library = _library(parameters)
    generator = sealapi.KeyGenerator(library.context, key._library_key)
    keys = _parts(library, generator.create_relin_keys())
    for element in galois_elements(parameters, packing):
        keys += _parts(library, generator.create_galois_keys([element]))
    return tuple(keys)


def _parts(library: _Library, serializable: Any) -> list[SeededCiphertext]:
    """The one key of a key set in the library's format: identity, count, for each index a count and its ciphertexts."""
    body = _decompressed(_dump(serializable))
    (indices,) = _COUNT.unpack_from(body, _PARMS_ID.size)
    at, parts = _PARMS_ID.size + _COUNT.size, []
    rows, n = library.levels + 1, library.parameters.degree
    for _ in range(indices):
        (count,) = _COUNT.unpack_from(body, at)
        at += _COUNT.size
        for _ in range(count):
            end = at + _HEADER.unpack_from(body, at)[-1]
            words_at = at + _HEADER.size + _CIPHERTEXT.size + _HEADER.size + _COUNT.size
            if end - words_at != rows * n * 8 + _PRNG_RECORD_BYTES:
                raise SealError("the library did not produce a seeded key; install a supported release")
            words = np.frombuffer(body, "<u8", count=rows * n, offset=words_at).reshape(rows, n)
            parts.append(SeededCiphertext(library.parameters, body[end - SEED_BYTES : end], words.astype(np.uint64)))
            at = end
    return parts


def _load_keys(library: _Library, target: Any, keys: dict[int, Sequence[SeededCiphertext]], indices: int) -> Any:
    """`keys`: index in the set to its parts."""
    identity, n = library.context.key_parms_id(), library.parameters.degree
    head = _CIPHERTEXT.pack(*identity, True, 2, n, library.levels + 1, 1.0, 1)
    body = [_PARMS_ID.pack(*identity), _COUNT.pack(indices)]
    for index in range(indices):
        parts = keys.get(index, ())
        body.append(_COUNT.pack(len(parts)))
        for part in parts:
            words = library.array(part.residues.reshape(-1), library.seeded_tail(part.seed))
            body.append(library.wrap(head + words))
    try:
        _load(target, library.wrap(b"".join(body)), library.context)
    except (RuntimeError, ValueError) as error:
        raise SealError("the library refused a switching key") from error
    return target


@cache
def _constant(value: int) -> Any:
    return sealapi.Plaintext(f"{value:X}")


class TreeEvaluation:
    """Leaves, zero and switching keys of one model as the library holds them: about 15 MB.

    `zero` is kept at the level of the result. Raises `SealError` when the library refuses any of them.
    """

    def __init__(
        self,
        parameters: TreeParameterSet,
        shape: TreeShape,
        leaves: SeededCiphertext,
        zero: SeededCiphertext,
        switching: Sequence[SeededCiphertext],
    ) -> None:
        if len(switching) != switching_frames(parameters, shape.packing):
            raise SealError(f"a model has {switching_frames(parameters, shape.packing)} switching keys")
        self.parameters, self.shape = parameters, shape
        self._library = library = _library(parameters)
        self._evaluator = library.evaluator
        self._leaves = load_seeded(leaves)
        self._zero = self._down(load_seeded(zero))
        each = len(parameters.primes)
        self._relinearization = _load_keys(library, sealapi.RelinKeys(), {0: switching[:each]}, 1)
        # The library files the key of Galois element g under (g - 1) / 2.
        elements = galois_elements(parameters, shape.packing)
        galois = {(g - 1) // 2: switching[each * (i + 1) : each * (i + 2)] for i, g in enumerate(elements)}
        self._galois = _load_keys(library, sealapi.GaloisKeys(), galois, parameters.degree)
        self._evaluator.transform_to_ntt_inplace(self._zero)

    def evaluate(self, combined: Residues, u: NDArray[np.int64]) -> Residues:
        """f + u * P' modulo q0 and q1, shape (2 components, 2 primes, N).

        `combined`: the encrypted path costs before their projection, shape (2, primes, N), residues below the primes.
        `u`: ternary, shape (N,). Coefficient 0 of the plaintext of f is score_step times the score.
        """
        head = self._library.ciphertext_head(is_ntt=False)
        costs = self._library.load_ciphertext(head + self._library.array(combined.reshape(-1)))
        result = self._select(self._project(costs))
        self._evaluator.add_inplace(result, self._masking(u))
        return self._library.residues(result)

    def mask(self, u: NDArray[np.int64]) -> Residues:
        """u * P' alone: the answer that holds nothing."""
        return self._library.residues(self._masking(u))

    def _masking(self, u: NDArray[np.int64]) -> Any:
        words = np.where(u < 0, self.parameters.plain_modulus + u, u).astype(np.uint64)
        plain, product = sealapi.Plaintext(), sealapi.Ciphertext()
        head = _PLAINTEXT.pack(0, 0, 0, 0, words.size, 1.0)
        _load(plain, self._library.wrap(head + self._library.array(words)), self._library.context)
        self._evaluator.transform_to_ntt_inplace(plain, self._zero.parms_id())
        self._evaluator.multiply_plain(self._zero, plain, product)
        self._evaluator.transform_from_ntt_inplace(product)
        return product

    def _project(self, costs: Any) -> Any:
        """To the subring of polynomials in X^(2^packing), times 2^packing: the packed columns fall apart there."""
        for element in galois_elements(self.parameters, self.shape.packing):
            image = sealapi.Ciphertext()
            self._evaluator.apply_galois(costs, element, self._galois, image)
            self._evaluator.add_inplace(costs, image)
        return costs

    def _select(self, costs: Any) -> Any:
        """(1-c)(2-c)...(d-c) times the leaves, at the level of the result; the leaves hold the factor 1/d!.

        Every last product is taken one level down, where it is cheaper; docs/protocol.md counts the noise.
        """
        depth = self.shape.depth
        if depth == 1:
            return self._product(self._down(self._minus(1, costs)), self._down(self._leaves))
        even = self._pairs(costs, depth)
        if depth % 2 == 0:
            return self._product(self._down(even), self._down(self._leaves))
        odd = self._product(self._minus((depth + 1) // 2, costs), self._leaves)
        return self._product(self._down(even), self._down(odd))

    def _pairs(self, c: Any, depth: int) -> Any:
        """With y = c^2 - (d+1) c, the pair (i-c)(d+1-i-c) is y + i (d+1-i)."""
        y = self._square(c)
        self._evaluator.sub_inplace(y, self._times(depth + 1, c))
        if depth <= 3:
            return self._plus(y, depth)
        a, b = depth, 2 * (depth - 1)
        squared = self._square(y)
        self._evaluator.add_inplace(squared, self._times(a + b, y))
        return self._plus(squared, a * b)

    def _square(self, factor: Any) -> Any:
        result = sealapi.Ciphertext()
        self._evaluator.square(factor, result)
        self._evaluator.relinearize_inplace(result, self._relinearization)
        return result

    def _product(self, left: Any, right: Any) -> Any:
        result = sealapi.Ciphertext()
        self._evaluator.multiply(left, right, result)
        self._evaluator.relinearize_inplace(result, self._relinearization)
        return result

    def _times(self, factor: int, ciphertext: Any) -> Any:
        result = sealapi.Ciphertext()
        self._evaluator.multiply_plain(ciphertext, _constant(factor), result)
        return result

    def _plus(self, ciphertext: Any, addend: int) -> Any:
        result = sealapi.Ciphertext()
        self._evaluator.add_plain(ciphertext, _constant(addend), result)
        return result

    def _minus(self, minuend: int, ciphertext: Any) -> Any:
        negated = sealapi.Ciphertext()
        self._evaluator.negate(ciphertext, negated)
        return self._plus(negated, minuend)

    def _down(self, ciphertext: Any) -> Any:
        result = sealapi.Ciphertext()
        self._evaluator.mod_switch_to_next(ciphertext, result)
        return result
