"""Our own wire format for ciphertexts: fixed lengths, a version byte, every residue checked below its prime.

The library's own bytes never travel: its releases refuse each other's headers, its compression makes lengths depend on
content, and its loaders were killed by hostile input before. A frame has no length field, so nothing can be
over-declared:

    offset 0  3 bytes  b"XYD"
    offset 3  1 byte   format version (1)
    offset 4  1 byte   kind (1 weights, 2 zero, 3 answer, 4 leaves, 5 columns, 6 switching key)
    offset 5  1 byte   parameter set
    offset 6           kind 1, 2, 5: 64-byte seed, then c0 modulo each data prime, each N residues bit-packed
                       kind 3:       c0[0] in whole bytes, then c1 bit-packed, both rounded as the set says
                       kind 4:       1 byte depth, 1 byte log2 of columns a ciphertext, then as kind 1
                       kind 6:       as kind 1, with the special prime after the data primes

The linear set has kinds 1 to 3; the trees have 2 to 6, and leaves in place of weights.
Bit packing is little endian: residue i takes bits [i*b, (i+1)*b) of the byte string, b = bit length of the prime.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from xinyidai.parameters import MAX_TREE_DEPTH, PARAMETER_SETS, ParameterSet, TreeParameterSet

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
    LEAVES = 4
    COLUMNS = 5
    SWITCH = 6


_LINEAR_KINDS: Final = frozenset({FrameKind.WEIGHTS, FrameKind.ZERO, FrameKind.ANSWER})
_TREE_KINDS: Final = frozenset(FrameKind) - {FrameKind.WEIGHTS}
MAX_PACKING: Final = 4
"""log2 of the most columns one ciphertext holds."""
_SHAPE_BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class TreeShape:
    """What of a tree ensemble is not secret."""

    depth: int
    """1..5: the highest path cost."""
    packing: int
    """1..4: one ciphertext holds 2^packing columns, and a column has N / 2^packing slots."""


@dataclass(frozen=True, slots=True, eq=False)
class SeededCiphertext:
    """A symmetric encryption whose second component is expanded from `seed` by the library, so nobody chose it."""

    parameters: ParameterSet
    seed: bytes
    """64 bytes."""
    residues: Residues
    """c0, shape (primes, N), row i below prime i: the data primes, and for a switching key the special one."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerCiphertext:
    """What leaves the enclave: one coefficient of c0 and all of c1, modulo q0."""

    parameters: ParameterSet
    c0: int
    """c0[0] / 2^first_component_shift, rounded to nearest; 16 bits in the linear set, 20 for trees."""
    c1: Residues
    """Shape (N,), c1 / 2^second_component_shift, rounded to nearest; below q0 in the linear set, 34 bits for trees."""


def pack(values: Residues, bits: int) -> bytes:
    """N residues of `bits` bits each, little endian. N must be a multiple of 8."""
    octets = values.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)
    flat = np.unpackbits(octets, axis=1, count=bits, bitorder="little")
    return np.packbits(flat, bitorder="little").tobytes()


def unpack(raw: bytes, count: int, bits: int) -> Residues:
    """Inverse of `pack` for exactly `count` residues; the caller has checked the length."""
    # Eight values fill whole bytes, so the i-th of every eight begins at the same bit of its group.
    octets = np.zeros((count // 8, bits + 8), np.uint8)
    octets[:, :bits] = np.frombuffer(raw, np.uint8).reshape(-1, bits)
    values = np.empty((count // 8, 8), np.uint64)
    for lane in range(8):
        at, shift = divmod(lane * bits, 8)
        window = np.ascontiguousarray(octets[:, at : at + 8]).view("<u8")[:, 0]
        values[:, lane] = window >> np.uint64(shift)
        if shift + bits > 64:
            values[:, lane] |= octets[:, at + 8].astype(np.uint64) << np.uint64(64 - shift)
    return (values & np.uint64((1 << bits) - 1)).reshape(count)


def _primes(kind: FrameKind, parameters: ParameterSet) -> tuple[int, ...]:
    return (*parameters.primes, parameters.special_prime) if kind is FrameKind.SWITCH else parameters.primes


def _packed_bytes(parameters: ParameterSet, prime: int) -> int:
    return parameters.degree * prime.bit_length() // 8


def _first_bytes(parameters: ParameterSet) -> int:
    return (parameters.first_component_bits + 7) // 8


def frame_bytes(kind: FrameKind, parameters: ParameterSet) -> int:
    """Exact length of a frame."""
    if kind is FrameKind.ANSWER:
        second = parameters.degree * parameters.second_component_bits // 8
        return HEADER_BYTES + _first_bytes(parameters) + second
    shape = _SHAPE_BYTES if kind is FrameKind.LEAVES else 0
    return HEADER_BYTES + shape + SEED_BYTES + sum(_packed_bytes(parameters, p) for p in _primes(kind, parameters))


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
    if kind not in (_TREE_KINDS if isinstance(parameters, TreeParameterSet) else _LINEAR_KINDS):
        raise FrameError("FRAME_KIND", f"parameter set {parameters.name} has no frame of kind {kind.name}")
    if len(raw) != frame_bytes(kind, parameters):
        raise FrameError("FRAME_LENGTH", f"a frame of kind {kind.name} is {frame_bytes(kind, parameters)} bytes long")
    return parameters, raw[HEADER_BYTES:]


def _residues(raw: bytes, degree: int, prime: int) -> Residues:
    values = unpack(raw, degree, prime.bit_length())
    if bool((values >= np.uint64(prime)).any()):
        raise FrameError("FRAME_RESIDUE", "a residue is not below its prime; send the bytes the SDK produced")
    return values


def _seeded_body(ciphertext: SeededCiphertext, kind: FrameKind) -> bytes:
    primes = _primes(kind, ciphertext.parameters)
    rows = (pack(row, prime.bit_length()) for row, prime in zip(ciphertext.residues, primes, strict=True))
    return ciphertext.seed + b"".join(rows)


def _seed(body: bytes) -> bytes:
    seed = body[:SEED_BYTES]
    if len(set(seed)) == 1:
        # A constant seed is what a broken generator yields; honest ones do so with probability 2^-504.
        raise FrameError("SEED_DEGENERATE", "the seed is a constant; the bank's random generator is broken")
    return seed


def _seeded(body: bytes, parameters: ParameterSet, kind: FrameKind) -> SeededCiphertext:
    seed, at, rows = _seed(body), SEED_BYTES, []
    for prime in _primes(kind, parameters):
        length = _packed_bytes(parameters, prime)
        rows.append(_residues(body[at : at + length], parameters.degree, prime))
        at += length
    return SeededCiphertext(parameters, seed, np.stack(rows))


def encode_seeded(ciphertext: SeededCiphertext, kind: FrameKind) -> bytes:
    """A WEIGHTS, ZERO, COLUMNS or SWITCH frame."""
    return _header(kind, ciphertext.parameters) + _seeded_body(ciphertext, kind)


def decode_seeded(raw: bytes, kind: FrameKind) -> SeededCiphertext:
    """Parse and bound a WEIGHTS, ZERO, COLUMNS or SWITCH frame. Raises `FrameError`. Authenticates nothing."""
    parameters, body = _open(raw, kind)
    return _seeded(body, parameters, kind)


def read_seed(raw: bytes, kind: FrameKind, parameters: ParameterSet) -> bytes:
    """The seed of a frame whose header and length are checked, and whose residues are not. Raises `FrameError`."""
    found, body = _open(raw, kind)
    if found is not parameters:
        raise FrameError("PARAMETER_SET_UNKNOWN", f"the frame is not of parameter set {parameters.name}")
    return _seed(body[_SHAPE_BYTES:] if kind is FrameKind.LEAVES else body)


def encode_leaves(ciphertext: SeededCiphertext, shape: TreeShape) -> bytes:
    kind = FrameKind.LEAVES
    return _header(kind, ciphertext.parameters) + bytes((shape.depth, shape.packing)) + _seeded_body(ciphertext, kind)


def decode_leaves(raw: bytes) -> tuple[TreeShape, SeededCiphertext]:
    """Parse and bound a LEAVES frame. Raises `FrameError`. Authenticates nothing."""
    parameters, body = _open(raw, FrameKind.LEAVES)
    shape = TreeShape(body[0], body[1])
    if not (1 <= shape.depth <= MAX_TREE_DEPTH and 1 <= shape.packing <= MAX_PACKING):
        raise FrameError("FRAME_MALFORMED", f"depth is 1 to {MAX_TREE_DEPTH}, packing 1 to {MAX_PACKING}")
    return shape, _seeded(body[_SHAPE_BYTES:], parameters, FrameKind.LEAVES)


def encode_answer(answer: AnswerCiphertext) -> bytes:
    parameters = answer.parameters
    return (
        _header(FrameKind.ANSWER, parameters)
        + answer.c0.to_bytes(_first_bytes(parameters), "little")
        + pack(answer.c1, parameters.second_component_bits)
    )


def decode_answer(raw: bytes) -> AnswerCiphertext:
    """Parse and bound an ANSWER frame. Raises `FrameError`. Authenticates nothing: check the receipt first."""
    parameters, body = _open(raw, FrameKind.ANSWER)
    split = _first_bytes(parameters)
    c0 = int.from_bytes(body[:split], "little")
    if c0 >> parameters.first_component_bits:
        raise FrameError("FRAME_RESIDUE", "the first component has too many bits")
    c1 = unpack(body[split:], parameters.degree, parameters.second_component_bits)
    if bool((c1 > np.uint64((parameters.primes[0] - 1) >> parameters.second_component_shift)).any()):
        raise FrameError("FRAME_RESIDUE", "a residue is not below its prime; send the bytes the SDK produced")
    return AnswerCiphertext(parameters, c0, c1)
