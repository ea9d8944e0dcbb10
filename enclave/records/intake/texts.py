"""Faults of text, found by looking at the bytes of a whole column at once; a closer look only where there is reason."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import MAX_TEXT_CHARACTERS, RowFault

from enclave.records.intake.faults import Faults, as_mask

_REPLACEMENT: Final = "\ufffd"
_CONTROLS: Final = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_FORMULA_STARTS: Final = np.frombuffer(b"=+-@\t\r", np.uint8)
_FORMULA_IN_NUMBER: Final = r"^([=@\t\r]|[+-][^0-9.])"
_LOWEST_PRINTABLE: Final = 0x20
_DELETE: Final = 0x7F
_REPLACEMENT_LEAD: Final = 0xEF


def is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def as_bytes(array: Any) -> Any:
    """A string array as its bytes, which need not be valid UTF-8; nothing is copied."""
    return array.cast(pa.large_binary() if pa.types.is_large_string(array.type) else pa.binary())


def readable_text(array: Any) -> tuple[Any, NDArray[np.bool_] | None]:
    """(text, rows that are none): those are empty in the text. Raises `ArrowInvalid` for a malformed array."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = as_bytes(array)
        raw.validate(full=True)
        texts = [_decode(value) for value in raw.to_pylist()]
        bad = np.array([text is False for text in texts])
        return pa.array([None if text is False else text for text in texts], pa.string()), bad
    return array.cast(pa.string()), None


def _decode(raw: bytes | None) -> str | bool | None:
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return False


def check_text(text: Any, column: str, faults: Faults, *, number: bool) -> None:
    """`text`: a valid string array. `number`: the column holds numbers, dates or words, so a sign may stand first."""
    if not len(text):
        return
    offsets = np.frombuffer(text.buffers()[1], np.int32)[text.offset : text.offset + len(text) + 1]
    data = text.buffers()[2]
    content = np.frombuffer(data, np.uint8)[: offsets[-1]] if data is not None else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    if lengths.max() > MAX_TEXT_CHARACTERS:
        faults.mark(pc.greater(pc.utf8_length(text), MAX_TEXT_CHARACTERS), RowFault.TOO_LONG, column)
    present = content[offsets[0] :]
    if not present.size:
        return
    if (present == _REPLACEMENT_LEAD).any():
        faults.mark(pc.match_substring(text, _REPLACEMENT), RowFault.ENCODING, column)
    if present.min() < _LOWEST_PRINTABLE or (present == _DELETE).any():
        faults.mark(pc.match_substring_regex(text, _CONTROLS), RowFault.CONTROL_CHARACTER, column)
    starts = np.zeros(len(text), np.uint8)
    full = lengths > 0
    starts[full] = content[offsets[:-1][full]]
    suspicious = np.isin(starts, _FORMULA_STARTS)
    if suspicious.any():
        if number:
            suspicious &= as_mask(pc.match_substring_regex(text, _FORMULA_IN_NUMBER))
        faults.mark(suspicious, RowFault.FORMULA, column)
