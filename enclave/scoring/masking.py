"""The fresh mask of an answer, derived so that it can be repeated after a crash and chosen by nobody.

The key of a mask is an HMAC over everything that makes an answer what it is, the active cells included: two answers
share a mask only if they are the same answer. Three labelled streams (u, e2, flood) come from it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray
from xinyidai.parameters import ParameterSet

_LABEL: Final = b"mask/v1"
_FLOOD_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class MaskFields:
    """Everything the mask key is bound to. Frozen: changing a field's order or coding changes every mask."""

    enclave_id: str
    parameter_set: str
    model_id: str
    enterprise: str
    catalogue: str
    """Digest of the catalogue, not only its version."""
    active: NDArray[np.int64]
    """Sorted cell indices actually multiplied."""
    disclosure: str
    category: str
    """Empty for the total."""
    precision_points: int
    flood_bound: int

    def encode(self) -> bytes:
        """Length-prefixed, so no two different field lists have the same bytes."""
        fields = [
            _LABEL,
            self.enclave_id.encode(),
            self.parameter_set.encode(),
            self.model_id.encode(),
            self.enterprise.encode(),
            self.catalogue.encode(),
            np.sort(self.active).astype("<u4").tobytes(),
            self.disclosure.encode(),
            self.category.encode(),
            str(self.precision_points).encode(),
            str(self.flood_bound).encode(),
        ]
        return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def mask_key(epoch_key: bytes, fields: MaskFields) -> bytes:
    """32 bytes: HMAC-SHA-256 of the fields under the enclave's epoch key (32 bytes)."""
    return hmac.new(epoch_key, fields.encode(), hashlib.sha256).digest()


def nothing_key(key: bytes) -> bytes:
    """The mask key of the answer that holds nothing, given instead when an evaluation fails."""
    return hmac.new(key, b"nothing", hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    u: NDArray[np.int64]
    """Ternary, shape (N,), uniform."""
    error: NDArray[np.int64]
    """Centred binomial, shape (N,)."""
    flood: int
    """Uniform in [-F, F), up to a bias of 2^-170."""


class _Stream:
    """AES-256-CTR keystream under a key derived from the mask key and a label."""

    def __init__(self, key: bytes, label: bytes) -> None:
        derived = hmac.new(key, b"stream/" + label, hashlib.sha256).digest()
        # The nonce is constant because the key is used for this one stream only.
        self._encryptor = Cipher(algorithms.AES(derived), modes.CTR(bytes(16))).encryptor()

    def take(self, count: int) -> bytes:
        return self._encryptor.update(bytes(count))


def expand_mask(key: bytes, parameters: ParameterSet, flood_bound: int) -> Mask:
    """The mask of one answer from its 32-byte key. `flood_bound` is F."""
    return Mask(
        u=_ternary(_Stream(key, b"u"), parameters.degree),
        error=_centred_binomial(_Stream(key, b"e2"), parameters.degree, parameters.error_eta),
        flood=int.from_bytes(_Stream(key, b"flood").take(_FLOOD_BYTES), "big") % (2 * flood_bound) - flood_bound,
    )


def _ternary(stream: _Stream, degree: int) -> NDArray[np.int64]:
    kept = np.empty(0, np.uint8)
    while kept.size < degree:
        block = np.frombuffer(stream.take(degree + 256), np.uint8)
        # 255 is rejected: 0..254 holds each residue modulo 3 equally often.
        kept = np.concatenate([kept, block[block < 255]])
    return (kept[:degree] % 3).astype(np.int64) - 1


def _centred_binomial(stream: _Stream, degree: int, eta: int) -> NDArray[np.int64]:
    words = np.frombuffer(stream.take(8 * degree), "<u8")
    coins = np.uint64((1 << eta) - 1)
    heads: NDArray[np.int64] = np.bitwise_count(words & coins).astype(np.int64)
    tails: NDArray[np.int64] = np.bitwise_count((words >> np.uint64(32)) & coins).astype(np.int64)
    return heads - tails
