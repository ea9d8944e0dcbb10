"""With its companion `seal_trees` the one place that touches `tenseal.sealapi`.

It makes keys, makes seeded ciphertexts and expands seeds, through the library; bytes in the library's format never
leave this module and never come from the network. The evaluation (enclave/scoring) and the decryption of one
coefficient work on residues; the tests hold both against the library's own Evaluator and Decryptor.

The library saves and loads by file path; an anonymous memory file stands in for one, so nothing reaches a disk.
"""

import os
import struct
from functools import cache
from typing import Any, Final

import numpy as np
import tenseal.sealapi as sealapi
import zstandard
from numpy.typing import NDArray

from xinyidai.framing import SEED_BYTES, AnswerCiphertext, Residues, SeededCiphertext
from xinyidai.parameters import ParameterSet

_HEADER: Final = struct.Struct("<HBBBBHQ")  # magic, header size, major, minor, compression, reserved, total size
_MAGIC: Final = 0xA15E
_UNCOMPRESSED: Final = 0
_CIPHERTEXT: Final = struct.Struct("<4QBQQQdQ")  # parms_id, is_ntt, size, N, primes, scale, correction factor
_PLAINTEXT: Final = struct.Struct("<4QQd")  # parms_id, coefficient count, scale
_COUNT: Final = struct.Struct("<Q")
_PRNG_RECORD_BYTES: Final = 81  # header 16, type 1, seed 64
_PRNG_BLAKE2XB: Final = 1


class SealError(ValueError):
    """The library refused an object. Nothing about its content is repeated here."""


class _Library:
    """A context with its tools for one parameter set."""

    def __init__(self, parameters: ParameterSet) -> None:
        self.parameters = parameters
        settings = sealapi.EncryptionParameters(sealapi.SCHEME_TYPE.BFV)
        settings.set_poly_modulus_degree(parameters.degree)
        chain = [*parameters.primes, parameters.special_prime]
        settings.set_coeff_modulus([sealapi.Modulus(p) for p in chain])
        settings.set_plain_modulus(parameters.plain_modulus)
        self.context = sealapi.SEALContext(settings, True, sealapi.SEC_LEVEL_TYPE.TC128)
        if not self.context.parameters_set():
            raise SealError(f"the library refuses parameter set {parameters.name} at 128 bits of security")
        self.parms_id: list[int] = self.context.first_parms_id()
        self.evaluator = sealapi.Evaluator(self.context)
        self.levels = len(parameters.primes)
        head = _HEADER.unpack(_dump(sealapi.Plaintext("1"))[: _HEADER.size])
        self.version: tuple[int, int] = (head[2], head[3])

    def wrap(self, body: bytes) -> bytes:
        return _HEADER.pack(_MAGIC, 16, *self.version, _UNCOMPRESSED, 0, _HEADER.size + len(body)) + body

    def array(self, words: NDArray[np.uint64], tail: bytes = b"") -> bytes:
        inner = _COUNT.pack(words.size) + words.astype("<u8").tobytes()
        return _HEADER.pack(_MAGIC, 16, *self.version, _UNCOMPRESSED, 0, _HEADER.size + len(inner)) + inner + tail

    def ciphertext_head(self, *, is_ntt: bool) -> bytes:
        return _CIPHERTEXT.pack(*self.parms_id, is_ntt, 2, self.parameters.degree, self.levels, 1.0, 1)

    def seeded_tail(self, seed: bytes) -> bytes:
        """What follows the first component when the second one is to be expanded from `seed`."""
        head = _HEADER.pack(_MAGIC, 16, *self.version, _UNCOMPRESSED, 0, _PRNG_RECORD_BYTES)
        return head + bytes((_PRNG_BLAKE2XB,)) + seed

    def load_ciphertext(self, body: bytes) -> Any:
        ciphertext = sealapi.Ciphertext()
        try:
            _load(ciphertext, self.wrap(body), self.context)
        except (RuntimeError, ValueError) as error:
            raise SealError("the library refused a ciphertext") from error
        return ciphertext

    def residues(self, ciphertext: Any) -> Residues:
        """Shape (2 components, primes at its level, N)."""
        body = _decompressed(_dump(ciphertext))
        start = _CIPHERTEXT.size + _HEADER.size + _COUNT.size
        words = np.frombuffer(body, "<u8", offset=start)
        return words.reshape(2, -1, self.parameters.degree).astype(np.uint64)


def _dump(saveable: Any) -> bytes:
    file = os.memfd_create("xinyidai", os.MFD_CLOEXEC)
    try:
        saveable.save(f"/proc/self/fd/{file}")
        return os.pread(file, os.fstat(file).st_size, 0)
    finally:
        os.close(file)


def _load(loadable: Any, raw: bytes, context: Any) -> None:
    file = os.memfd_create("xinyidai", os.MFD_CLOEXEC)
    try:
        os.pwrite(file, raw, 0)
        loadable.load(context, f"/proc/self/fd/{file}")
    finally:
        os.close(file)


def _decompressed(saved: bytes) -> bytes:
    """The body of something this process saved a moment ago; never called on bytes from outside."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(saved[_HEADER.size :])


@cache
def _library(parameters: ParameterSet) -> _Library:
    return _Library(parameters)


class SecretKey:
    """A handle on one model's secret key: a ternary polynomial. It cannot be printed or pickled.

    Not guaranteed: that the memory is never copied by the interpreter or by the library.
    """

    __slots__ = ("_coefficients", "_library_key", "parameters")

    def __init__(self, parameters: ParameterSet, coefficients: NDArray[np.int64], library_key: Any = None) -> None:
        if coefficients.shape != (parameters.degree,) or not bool((np.abs(coefficients) <= 1).all()):
            raise SealError("a secret key is N coefficients of -1, 0 or 1")
        self.parameters = parameters
        self._coefficients = coefficients
        self._library_key = library_key

    @classmethod
    def generate(cls, parameters: ParameterSet) -> "SecretKey":
        """A fresh key from the library's generator."""
        library = _library(parameters)
        library_key = sealapi.KeyGenerator(library.context).secret_key()
        return cls(parameters, _ternary(library, library_key), library_key)

    def __repr__(self) -> str:
        return f"SecretKey({self.parameters.name}, **redacted**)"

    def __reduce__(self) -> Any:
        raise TypeError("a secret key cannot be pickled; keep it in the key store")

    def encrypt_weights(self, points: NDArray[np.int64]) -> SeededCiphertext:
        """Seeded encryption of sum_j points[j] X^j. `points`: shape (D,), D <= N, each 0..t-1.

        Raises `SealError` on any other value, and when this handle was loaded from a store: a key encrypts one model.
        """
        parameters = self.parameters
        if points.ndim != 1 or points.size > parameters.degree:
            raise SealError(f"points must be a vector of at most {parameters.degree} cells")
        if not bool(((points >= 0) & (points < parameters.plain_modulus)).all()):
            raise SealError(f"points must be 0..{parameters.plain_modulus - 1} after the offset")
        library = _library(parameters)
        coefficients = np.zeros(parameters.degree, np.uint64)
        coefficients[: points.size] = points.astype(np.uint64)
        plain = sealapi.Plaintext()
        head = _PLAINTEXT.pack(0, 0, 0, 0, parameters.degree, 1.0)
        _load(plain, library.wrap(head + library.array(coefficients)), library.context)
        return self._seeded(library, self._encryptor(library).encrypt_symmetric(plain))

    def encrypt_zero(self) -> SeededCiphertext:
        """Seeded encryption of zero: the P of the protocol. Same conditions as `encrypt_weights`."""
        library = _library(self.parameters)
        return self._seeded(library, self._encryptor(library).encrypt_zero_symmetric())

    def decrypt_coefficient(self, answer: AnswerCiphertext) -> int:
        """The constant coefficient of the plaintext in points, 0..score_modulus - 1.

        Says nothing about whether the answer made sense, and the caller must not tell anyone either: that would be an
        oracle on the key. Constant flow: one inner product whatever the key and the answer.
        """
        parameters = self.parameters
        q0, t, step = parameters.primes[0], parameters.plain_modulus, parameters.score_step
        c1 = answer.c1.astype(np.int64)
        # Constant coefficient of c1 * s in Z[X]/(X^N + 1): c1_0 s_0 - sum_{k>0} c1_k s_{N-k}. Below 2^47: exact.
        product = int(c1[0] * self._coefficients[0]) - int(np.dot(c1[1:], self._coefficients[:0:-1]))
        second = product << parameters.second_component_shift
        phase = ((answer.c0 << parameters.first_component_shift) + second) % q0
        return ((2 * t * phase + step * q0) // (2 * step * q0)) % parameters.score_modulus

    def export_for_storage(self) -> bytes:
        """Two bits a coefficient, N / 4 bytes. Only the key store calls this, and encrypts the result at once."""
        codes = (self._coefficients % 3).astype(np.uint8).reshape(-1, 4)
        packed = (codes << np.array([0, 2, 4, 6], np.uint8)).sum(axis=1, dtype=np.uint8)
        return bytes(packed)

    @classmethod
    def from_storage(cls, parameters: ParameterSet, raw: bytes) -> "SecretKey":
        """Inverse of `export_for_storage`. Such a handle decrypts; it encrypts nothing new."""
        if len(raw) != parameters.degree // 4:
            raise SealError("a stored key has another length; the key file is damaged or for another parameter set")
        codes = (np.frombuffer(raw, np.uint8)[:, None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        values = codes.reshape(-1).astype(np.int64)
        values[values == 2] = -1
        return cls(parameters, values)

    def _encryptor(self, library: _Library) -> Any:
        if self._library_key is None:
            raise SealError("a stored key only decrypts; make a fresh key for each model")
        return sealapi.Encryptor(library.context, self._library_key)

    def _seeded(self, library: _Library, serializable: Any) -> SeededCiphertext:
        body = _decompressed(_dump(serializable))
        words_at = _CIPHERTEXT.size + _HEADER.size + _COUNT.size
        n, levels = self.parameters.degree, library.levels
        expected = words_at + levels * n * 8 + _PRNG_RECORD_BYTES
        if len(body) != expected or body[-_PRNG_RECORD_BYTES + 16] != _PRNG_BLAKE2XB:
            raise SealError("the library did not produce a seeded ciphertext; install a supported release")
        rows = np.frombuffer(body, "<u8", count=levels * n, offset=words_at).reshape(levels, n)
        return SeededCiphertext(self.parameters, body[-SEED_BYTES:], rows.astype(np.uint64))


def load_seeded(ciphertext: SeededCiphertext) -> Any:
    """The library's object. Raises `SealError` when the library refuses it, or when its second component is zero."""
    library = _library(ciphertext.parameters)
    words = library.array(ciphertext.residues.reshape(-1), library.seeded_tail(ciphertext.seed))
    loaded = library.load_ciphertext(library.ciphertext_head(is_ntt=False) + words)
    if loaded.is_transparent():
        raise SealError("the ciphertext is transparent")
    return loaded


def expand(ciphertext: SeededCiphertext) -> Residues:
    """Both components, shape (2, primes, N), coefficient form; the second is expanded from the seed by the library.

    Raises `SealError` when the library refuses it or the result is transparent (second component zero).
    """
    return _library(ciphertext.parameters).residues(load_seeded(ciphertext))


def _ternary(library: _Library, library_key: Any) -> NDArray[np.int64]:
    """Coefficients of a library key, which keeps itself in NTT form: transform it back as a ciphertext component."""
    n, levels = library.parameters.degree, library.levels
    body = _decompressed(_dump(library_key))
    words = np.frombuffer(body, "<u8", offset=len(body) - (levels + 1) * n * 8)[: levels * n]
    component = np.concatenate([words, words]).astype(np.uint64)
    carrier = library.load_ciphertext(library.ciphertext_head(is_ntt=True) + library.array(component))
    library.evaluator.transform_from_ntt_inplace(carrier)
    row = library.residues(carrier)[0, 0].astype(np.int64)
    ternary: NDArray[np.int64] = np.where(row > 1, row - library.parameters.primes[0], row)
    return ternary
