"""Merkle trees of RFC 9162 (Certificate Transparency 2.0), section 2.1: roots, proofs, and their verification.

Nothing here recurses and everything is bounded by the length of a path, so hostile proofs cost nothing. What a proof is
made of is named as ranges of leaves; whoever keeps a tree turns a range into its hash (`range_parts`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

HASH_BYTES: Final = 32
MAX_SIZE: Final = 1 << 62
MAX_PATH: Final = 64
"""No path is longer: a tree of 2^62 leaves has 62 levels, and a consistency proof one hash more."""
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
Range = tuple[int, int]
"""Leaves first..end - 1."""


class ProofInvalid(ValueError):
    """A proof does not prove what it should."""


def leaf_hash(entry: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """What of a tree is needed to append to it and to know its root: the perfect subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """`leaf`: the hash of an entry (`leaf_hash`)."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self._peaks.pop(), carry)
            size >>= 1
        self._peaks.append(carry)
        self.size += 1

    def root(self) -> bytes:
        return fold(self._peaks)


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over the hashes of entries."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees, largest (leftmost) first; of none, that of the empty tree."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def range_parts(leaves: Range) -> list[tuple[int, int]]:
    """(level, position) of the perfect subtrees a range consists of, largest first; `fold` their hashes.

    Position p of level l covers the leaves p * 2^l to (p + 1) * 2^l - 1. The range must begin at a multiple of the
    largest power of two within it, as those of proofs do.
    """
    first, end = leaves
    parts = []
    while first < end:
        level = (end - first).bit_length() - 1
        parts.append((level, first >> level))
        first += 1 << level
    return parts


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """What the inclusion path of a leaf is made of, leaf to root (2.1.3.1). Raises `ValueError`."""
    if not 0 <= index < size:
        raise ValueError("there is no such leaf in a tree of this size")
    ranges, first, end = [], 0, size
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first = middle
    return ranges[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """What proves that a tree of `size` leaves extends one of `old` (2.1.4.1). Raises `ValueError`."""
    if not 0 <= old <= size:
        raise ValueError("the older tree is the smaller one")
    if old in (0, size):
        return []
    ranges, first, end, whole = [], 0, size, True
    while old != end:
        middle = first + _split(end - first)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((first, middle))
            first, whole = middle, False
    if not whole:
        ranges.append((first, end))
    return ranges[::-1]


def _split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def verify_inclusion(index: int, size: int, leaf: bytes, path: Sequence[bytes], root: bytes) -> None:
    """Section 2.1.3.2. Raises `ProofInvalid` unless `leaf` is number `index` of the tree of this size and root."""
    _check_path(path)
    if not 0 <= index < size <= MAX_SIZE:
        raise ProofInvalid("there is no such leaf in a tree of this size")
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ProofInvalid("the path is too long")
        if at & 1 or at == last:
            found = node_hash(step, found)
            at, last = _up(at, last)
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last != 0 or found != root:
        raise ProofInvalid("the path does not lead to the root")


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Section 2.1.4.2. Raises `ProofInvalid` unless the tree of `new` leaves extends that of `old` leaves."""
    _check_path(path)
    if not 0 <= old <= new <= MAX_SIZE:
        raise ProofInvalid("the older tree is the smaller one")
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if path or old_root != expected:
            raise ProofInvalid("trees of one size have one root, and need no path")
        return
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not steps:
        raise ProofInvalid("the path is empty")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofInvalid("the path is too long")
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            at, last = _up(at, last)
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    if last != 0 or first != old_root or second != new_root:
        raise ProofInvalid("the newer tree does not extend the older one")


def _up(at: int, last: int) -> tuple[int, int]:
    """Past the levels on which a node at the right edge has no sibling."""
    while not at & 1 and at:
        at, last = at >> 1, last >> 1
    return at, last


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > MAX_PATH or any(len(step) != HASH_BYTES for step in path):
        raise ProofInvalid(f"a path is at most {MAX_PATH} hashes of {HASH_BYTES} bytes")
