"""Our own wire format for ciphertexts: fixed lengths, a version byte, every residue checked below its prime.

The library's own bytes never travel: its releases refuse each other's headers, its compression makes lengths depend on
content, and its loaders were killed by hostile input before. A frame has no length field, so nothing can be
over-declared:

    offset 0  3 bytes  b"XYD"
    offset 3  1 byte   format version (1)
    offset 4  1 byte   kind (1 weights, 2 zero, 3 answer)
    offset 5  1 byte   parameter set
    offset 6           kind 1, 2: 64-byte seed, then c0 modulo q0, then c0 modulo q1, each N residues bit-packed
                       kind 3:    2 bytes of c0[0], then c1 modulo q0 bit-packed

Bit packing is little endian: residue i takes bits [i*b, (i+1)*b) of the byte string, b = bit length of the prime.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from xinyidai.parameters import PARAMETER_SETS, ParameterSet

MAGIC: Final = b"XYD"
VERSION: Final = 1
HEADER_BYTES: Final = 6
SEED_BYTES: Final = 64

Residues = NDArray[np.uint64]


class FrameError(ValueError):
    """A frame was refused. `reason` is one of xinyidai.reasons; the text says which rule, never which value."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class FrameKind(IntEnum):
    WEIGHTS = 1
    ZERO = 2
    ANSWER = 3


@dataclass(frozen=True, slots=True, eq=False)
class SeededCiphertext:
    """A symmetric encryption whose second component is expanded from `seed` by the library, so nobody chose it."""

    parameters: ParameterSet
    seed: bytes
    """64 bytes."""
    residues: Residues
    """c0, shape (2, N), row i below prime i."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerCiphertext:
    """What leaves the enclave: one coefficient of c0 and all of c1, modulo q0."""

    parameters: ParameterSet
    c0: int
    """16 bits: c0[0] / 2^first_component_shift, rounded to nearest."""
    c1: Residues
    """Shape (N,), below q0."""


def pack(values: Residues, bits: int) -> bytes:
    """N residues of `bits` bits each, little endian. N * bits must be a multiple of 8."""
    octets = values.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    flat = np.unpackbits(octets, axis=1, count=bits, bitorder="little")
    return np.packbits(flat, bitorder="little").tobytes()


def unpack(raw: bytes, count: int, bits: int) -> Residues:
    """Inverse of `pack` for exactly `count` residues; the caller has checked the length."""
    flat = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little").reshape(count, bits)
    octets = np.zeros((count, 8), np.uint8)
    packed = np.packbits(flat, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u8").reshape(count).astype(np.uint64, copy=False)


def _packed_bytes(parameters: ParameterSet, prime: int) -> int:
    return parameters.degree * parameters.prime_bits[prime] // 8


def frame_bytes(kind: FrameKind, parameters: ParameterSet) -> int:
    """Exact length of a frame."""
    if kind is FrameKind.ANSWER:
        return HEADER_BYTES + 2 + _packed_bytes(parameters, 0)
    return HEADER_BYTES + SEED_BYTES + _packed_bytes(parameters, 0) + _packed_bytes(parameters, 1)


def _header(kind: FrameKind, parameters: ParameterSet) -> bytes:
    return MAGIC + bytes((VERSION, kind, parameters.wire_id))


def _open(raw: bytes, kind: FrameKind) -> tuple[ParameterSet, bytes]:
    if len(raw) < HEADER_BYTES or raw[:3] != MAGIC:
        raise FrameError("FRAME_MALFORMED", "not a frame of this service; send the bytes the SDK produced")
    if raw[3] != VERSION:
        raise FrameError("FRAME_VERSION", "this frame version is not spoken here; upgrade the older side")
    if raw[4] != kind:
        raise FrameError("FRAME_KIND", f"expected a frame of kind {kind.name}")
    for parameters in PARAMETER_SETS.values():
        if parameters.wire_id == raw[5]:
            break
    else:
        raise FrameError("PARAMETER_SET_UNKNOWN", "the frame names no parameter set of this service")
    if len(raw) != frame_bytes(kind, parameters):
        raise FrameError("FRAME_LENGTH", f"a frame of kind {kind.name} is {frame_bytes(kind, parameters)} bytes long")
    return parameters, raw[HEADER_BYTES:]


def _residues(raw: bytes, parameters: ParameterSet, prime: int) -> Residues:
    values = unpack(raw, parameters.degree, parameters.prime_bits[prime])
    if bool((values >= np.uint64(parameters.primes[prime])).any()):
        raise FrameError("FRAME_RESIDUE", "a residue is not below its prime; send the bytes the SDK produced")
    return values


def encode_seeded(ciphertext: SeededCiphertext, kind: FrameKind) -> bytes:
    parameters = ciphertext.parameters
    rows = (pack(ciphertext.residues[i], parameters.prime_bits[i]) for i in range(2))
    return _header(kind, parameters) + ciphertext.seed + b"".join(rows)


def decode_seeded(raw: bytes, kind: FrameKind) -> SeededCiphertext:
    """Parse and bound a WEIGHTS or ZERO frame. Raises `FrameError`. Authenticates nothing."""
    parameters, body = _open(raw, kind)
    seed, body = body[:SEED_BYTES], body[SEED_BYTES:]
    if len(set(seed)) == 1:
        # A constant seed is what a broken generator yields; honest ones do so with probability 2^-504.
        raise FrameError("SEED_DEGENERATE", "the seed is a constant; the bank's random generator is broken")
    split = _packed_bytes(parameters, 0)
    rows = [_residues(body[:split], parameters, 0), _residues(body[split:], parameters, 1)]
    return SeededCiphertext(parameters, seed, np.stack(rows))


def encode_answer(answer: AnswerCiphertext) -> bytes:
    parameters = answer.parameters
    return (
        _header(FrameKind.ANSWER, parameters)
        + answer.c0.to_bytes(2, "little")
        + pack(answer.c1, parameters.prime_bits[0])
    )


def decode_answer(raw: bytes) -> AnswerCiphertext:
    """Parse and bound an ANSWER frame. Raises `FrameError`. Authenticates nothing: check the receipt first."""
    parameters, body = _open(raw, FrameKind.ANSWER)
    return AnswerCiphertext(parameters, int.from_bytes(body[:2], "little"), _residues(body[2:], parameters, 0))
