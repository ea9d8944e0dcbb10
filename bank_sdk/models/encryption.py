"""Encrypting a tree ensemble: the frames of one model, in the order they travel."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xinyidai.framing import FrameKind, SeededCiphertext, encode_leaves, encode_seeded
from xinyidai.parameters import TREES_8192, TreeParameterSet
from xinyidai.seal import SecretKey
from xinyidai.seal_trees import make_switching_keys

from bank_sdk.models.trees import TreeModel


@dataclass(frozen=True, slots=True, eq=False)
class EncryptedTrees:
    """Leaves, zero, switching keys and packed columns under one fresh key; 180 KB a frame, a switching key 223 KB."""

    parameters: TreeParameterSet
    key: SecretKey
    leaves: bytes
    zero: bytes
    switching: tuple[bytes, ...]
    columns: tuple[bytes, ...]
    seeds: tuple[bytes, ...]
    """Of every frame; none may be used twice."""

    def frames(self) -> Iterator[bytes]:
        yield self.leaves
        yield self.zero
        yield from self.switching
        yield from self.columns

    @property
    def weights_digest(self) -> str:
        """Hex SHA-256 of leaves, switching keys and columns, one after the other."""
        digest = hashlib.sha256(self.leaves)
        for frame in (*self.switching, *self.columns):
            digest.update(frame)
        return digest.hexdigest()

    @property
    def zero_digest(self) -> str:
        return hashlib.sha256(self.zero).hexdigest()


def encrypt_trees(model: TreeModel, parameters: TreeParameterSet = TREES_8192) -> EncryptedTrees:
    """A fresh key and everything under it. Raises as `TreeModel.prove`. Takes about 5 ms a column."""
    shape = model.shape(parameters)
    packed, spread = model.plaintexts(parameters)
    key = SecretKey.generate(parameters)
    leaves, zero = key.encrypt_weights(spread), key.encrypt_zero()
    switching = make_switching_keys(key, shape.packing)
    columns = [key.encrypt_weights(polynomial) for polynomial in packed]
    return EncryptedTrees(
        parameters,
        key,
        encode_leaves(leaves, shape),
        encode_seeded(zero, FrameKind.ZERO),
        _encode(switching, FrameKind.SWITCH),
        _encode(columns, FrameKind.COLUMNS),
        tuple(ciphertext.seed for ciphertext in (leaves, zero, *switching, *columns)),
    )


def _encode(ciphertexts: Sequence[SeededCiphertext], kind: FrameKind) -> tuple[bytes, ...]:
    return tuple(encode_seeded(ciphertext, kind) for ciphertext in ciphertexts)
