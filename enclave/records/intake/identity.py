"""Whose a row is. Departments name an enterprise by its USCC, its organisation code (the USCC's places 9 to 17), or its
old 15-digit taxpayer id; the last two are matched through links that registration and tax records give.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import RowFault

from enclave.records.intake.faults import Faults

LINK_SCHEMA: Final = pa.schema([("key", pa.string()), ("uscc", pa.string())])
_ALPHABET: Final = b"0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Of GB 32100-2015; the position of a character is its value."""
_WEIGHTS: Final = np.array([pow(3, place, 31) for place in range(17)])
_ORGANISATION_WEIGHTS: Final = np.array([3, 7, 9, 10, 5, 8, 4, 2])
"""Of GB 11714."""
_USCC, _ORGANISATION, _TAXPAYER = 18, 9, 15
_NONE: Final = 99


def _lookup(alphabet: bytes) -> NDArray[np.int64]:
    table = np.full(256, _NONE)
    table[list(alphabet)] = np.arange(len(alphabet))
    return table


_USCC_VALUE: Final = _lookup(_ALPHABET)
_ALNUM_VALUE: Final = _lookup(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Of a slice: the identity of each row in its one written form, and which rows are to be matched."""

    codes: Any
    """String array: a USCC, or a key to be matched."""
    is_key: NDArray[np.bool_]


def judge_identities(raw: Any, faults: Faults) -> Judged:
    """Mark rows whose identity is missing, malformed or has a wrong check character."""
    distinct = pc.dictionary_encode(raw)
    index = distinct.indices.fill_null(0).to_numpy(zero_copy_only=False)
    codes = _in_one_form(distinct.dictionary)
    formed, holds, is_key = _judge(codes)
    faults.mark(pc.is_null(raw), RowFault.MISSING, "uscc")
    if not len(codes):
        return Judged(raw, np.zeros(len(raw), np.bool_))
    faults.mark(~formed[index], RowFault.IDENTITY_MALFORMED, "uscc")
    faults.mark(~holds[index], RowFault.IDENTITY_CHECK, "uscc")
    return Judged(codes.take(distinct.indices), is_key[index])


def _in_one_form(codes: Any) -> Any:
    """People write codes in small letters, and organisation codes with a hyphen before the last place."""
    return pc.replace_substring(pc.utf8_upper(pc.utf8_trim_whitespace(codes)), "-", "")


def _judge(codes: Any) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """(well formed, check character holds, is a key to be matched) of distinct codes."""
    lengths = pc.binary_length(codes).to_numpy(zero_copy_only=False)
    formed, holds = np.zeros(len(codes), np.bool_), np.zeros(len(codes), np.bool_)
    for length, judge in ((_USCC, _judge_usccs), (_ORGANISATION, _judge_organisations), (_TAXPAYER, _judge_taxpayers)):
        chosen = lengths == length
        if chosen.any():
            characters = _bytes(codes.filter(pa.array(chosen)), length)
            formed[chosen], holds[chosen] = judge(characters)
    return formed, holds | ~formed, formed & (lengths != _USCC)


def _bytes(codes: Any, length: int) -> NDArray[np.uint8]:
    """Shape (n, length), of strings that all have `length` bytes."""
    packed = codes.cast(pa.binary()).cast(pa.binary(length))
    flat = np.frombuffer(packed.buffers()[1], np.uint8)
    return flat[packed.offset * length : (packed.offset + len(packed)) * length].reshape(-1, length)


def _judge_usccs(characters: NDArray[np.uint8]) -> tuple[Any, Any]:
    value = _USCC_VALUE[characters]
    return (value < _NONE).all(axis=1), (value[:, :17] @ _WEIGHTS + value[:, 17]) % 31 == 0


def _judge_organisations(characters: NDArray[np.uint8]) -> tuple[Any, Any]:
    value = _ALNUM_VALUE[characters]
    check = -(value[:, :8] @ _ORGANISATION_WEIGHTS) % 11
    last = np.where(characters[:, 8] == ord("X"), 10, value[:, 8])
    return (value < _NONE).all(axis=1) & (last <= 10), last == check


def _judge_taxpayers(characters: NDArray[np.uint8]) -> tuple[Any, Any]:
    """Six digits of a region, then an organisation code. The check character is left to the link."""
    value = _ALNUM_VALUE[characters]
    formed = (value < _NONE).all(axis=1) & (value[:, :6] < 10).all(axis=1)
    return formed, formed


def links_of(category: str, rows: pa.Table) -> pa.Table:
    """(key, uscc) that good rows of a category give; distinct."""
    if category == "enterprise_registration":
        codes = pc.unique(rows.column("uscc"))
        return pa.table([pc.utf8_slice_codeunits(codes, 8, 17), codes], schema=LINK_SCHEMA)
    if category == "tax_payment":
        keys = _in_one_form(rows.column("taxpayer_id"))
        pairs = pa.table([keys, rows.column("uscc")], schema=LINK_SCHEMA)
        pairs = pairs.filter(pc.equal(pc.utf8_length(keys), _TAXPAYER))
        return pairs.group_by(["key", "uscc"]).aggregate([]).select(["key", "uscc"])
    return LINK_SCHEMA.empty_table()


class Links:
    """Keys of enterprises. A key that two enterprises claim matches neither: identities are never guessed."""

    def __init__(self, pairs: pa.Table) -> None:
        distinct = pairs.group_by(["key", "uscc"]).aggregate([])
        counted = distinct.group_by("key").aggregate([("uscc", "count"), ("uscc", "min")])
        known = counted.filter(pc.equal(counted.column("uscc_count"), 1))
        self._keys = known.column("key").combine_chunks()
        self._usccs = known.column("uscc_min").combine_chunks()

    def match(self, keys: Any) -> Any:
        """USCC of each key, null where nobody is linked to it yet. A taxpayer id that no tax record linked is matched
        by the organisation code inside it."""
        found = self._usccs.take(pc.index_in(keys, self._keys))
        inner = pc.if_else(pc.equal(pc.utf8_length(keys), _TAXPAYER), pc.utf8_slice_codeunits(keys, 6, 15), None)
        return pc.coalesce(found, self._usccs.take(pc.index_in(inner, self._keys)))

    def unknown(self, pairs: pa.Table) -> pa.Table:
        """Those of `pairs` that are not known in just this form."""
        found = self._usccs.take(pc.index_in(pairs.column("key").combine_chunks(), self._keys))
        same = pc.equal(found, pairs.column("uscc").combine_chunks()).fill_null(False)
        return pairs.filter(pc.invert(same))
