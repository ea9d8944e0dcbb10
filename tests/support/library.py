"""The homomorphic library's own Evaluator and Decryptor, for holding our residue arithmetic against it.

Ciphertexts go in and out of the library by its own file format, which xinyidai.seal already speaks.
"""

from typing import Any

import numpy as np
import tenseal.sealapi as sealapi
from numpy.typing import NDArray
from xinyidai import seal
from xinyidai.framing import AnswerCiphertext, Residues
from xinyidai.parameters import ParameterSet


class Library:
    """A context of the library with the tools of one parameter set."""

    def __init__(self, parameters: ParameterSet) -> None:
        self.parameters = parameters
        self._library = seal._library(parameters)
        self.context = self._library.context
        self.evaluator = sealapi.Evaluator(self.context)

    def ciphertext(self, residues: Residues) -> Any:
        """A library ciphertext from residues in coefficient form, shape (2, 2, N)."""
        head = self._library.ciphertext_head(is_ntt=False)
        return self._library.load_ciphertext(head + self._library.array(residues.reshape(-1)))

    def plaintext(self, coefficients: NDArray[np.int64]) -> Any:
        """A library plaintext; coefficients are taken modulo t."""
        words = (coefficients % self.parameters.plain_modulus).astype(np.uint64)
        plain = sealapi.Plaintext()
        head = seal._PLAINTEXT.pack(0, 0, 0, 0, words.size, 1.0)
        seal._load(plain, self._library.wrap(head + self._library.array(words)), self.context)
        return plain

    def residues(self, ciphertext: Any, primes: int) -> Residues:
        """Shape (2, primes, N)."""
        body = seal._decompressed(seal._dump(ciphertext))
        words = np.frombuffer(body, "<u8", offset=len(body) - 2 * primes * self.parameters.degree * 8)
        return words.reshape(2, primes, self.parameters.degree).astype(np.uint64)

    def saved_bytes(self, ciphertext: Any) -> int:
        """How long the library's own compressed form is: what the obvious design would send."""
        return len(seal._dump(ciphertext))

    def times(self, residues: Residues, factor: NDArray[np.int64]) -> Any:
        """Ciphertext times plaintext polynomial, by the library's Evaluator."""
        result = sealapi.Ciphertext()
        self.evaluator.multiply_plain(self.ciphertext(residues), self.plaintext(factor), result)
        return result

    def decrypt(self, key: seal.SecretKey, ciphertext: Any) -> NDArray[np.int64]:
        """All N coefficients, by the library's Decryptor. The key must be fresh (KeyGenerator made it)."""
        plain = sealapi.Plaintext()
        sealapi.Decryptor(self.context, key._library_key).decrypt(ciphertext, plain)
        values = np.zeros(self.parameters.degree, np.int64)
        values[: plain.coeff_count()] = [plain[i] for i in range(plain.coeff_count())]
        return values

    def decrypt_answer(self, key: seal.SecretKey, answer: AnswerCiphertext) -> int:
        """Coefficient 0 of an answer put back into a ciphertext at the level of q0; its other c0 are lost, hence 0."""
        n = self.parameters.degree
        first = np.zeros(n, np.uint64)
        first[0] = (answer.c0 << self.parameters.first_component_shift) % self.parameters.primes[0]
        head = seal._CIPHERTEXT.pack(*self.context.last_parms_id(), False, 2, n, 1, 1.0, 1)
        body = head + self._library.array(np.concatenate([first, answer.c1]))
        return int(self.decrypt(key, self._library.load_ciphertext(body))[0])
