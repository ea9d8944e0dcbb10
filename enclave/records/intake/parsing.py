"""Text to the type of a field, a whole column at a time. What cannot be read becomes null, with a fault."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xinyidai.batches import RowFault

from enclave.records.intake.faults import Faults, as_mask

_INTEGER: Final = r"^[+-]?[0-9]{1,18}$"
_DECIMAL: Final = r"^[+-]?([0-9]{1,30}([.][0-9]{0,30})?|[.][0-9]{1,30})([eE][+-]?[0-9]{1,3})?$"
_DATE: Final = r"^[0-9]{4}(-[0-9]{1,2}-|/[0-9]{1,2}/|[0-9]{2})[0-9]{1,2}$"
_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?$"
_TRUE: Final = pa.array(["true", "1", "是"])
_FALSE: Final = pa.array(["false", "0", "否"])


def parse_text(text: Any, kind: str, column: str, faults: Faults) -> Any:
    """`text` (string array; an empty text is no value) as the type of a field of `kind`."""
    present = pc.if_else(pc.equal(text, ""), None, text) if pc.any(pc.equal(text, "")).as_py() else text
    if kind in ("str", "enum"):
        return present
    parsed = _PARSERS[kind](pc.utf8_trim_whitespace(present), column, faults)
    return parsed


def _only(text: Any, pattern: str, column: str, faults: Faults) -> Any:
    """The texts of a shape; the others are null, and marked."""
    fits = pc.match_substring_regex(text, pattern)
    if pc.all(fits).as_py() in (True, None):
        return text
    faults.mark(pc.invert(fits), RowFault.TYPE, column)
    return pc.if_else(fits, text, None)


def _integers(text: Any, column: str, faults: Faults) -> Any:
    return pc.utf8_ltrim(_only(text, _INTEGER, column, faults), "+").cast(pa.int64())


def _decimals(text: Any, column: str, faults: Faults) -> Any:
    return pc.utf8_ltrim(_only(text, _DECIMAL, column, faults), "+").cast(pa.float64())


def _booleans(text: Any, column: str, faults: Faults) -> Any:
    lowered = pc.utf8_lower(text)
    true, false = pc.is_in(lowered, _TRUE), pc.is_in(lowered, _FALSE)
    faults.mark(pc.and_(pc.is_valid(text), pc.invert(pc.or_(true, false))), RowFault.TYPE, column)
    return pc.if_else(true, True, pc.if_else(false, False, pa.scalar(None, pa.bool_())))


def _dates(text: Any, column: str, faults: Faults) -> Any:
    """2026-10-31, 2026/10/31 or 20261031."""
    shaped = _only(text, _DATE, column, faults)
    padded = pc.replace_substring_regex(shaped, "[-/]([0-9])([-/]|$)", r"-0\1\2")
    digits = pc.replace_substring_regex(pc.replace_substring_regex(padded, "[-/]([0-9])$", r"-0\1"), "[-/]", "")
    return pa.array(_days(digits, column, faults), pa.date32(), mask=as_mask(pc.is_null(digits)) | _bad(digits))


def _numbers(digits: Any) -> tuple[Any, Any, Any]:
    number = digits.cast(pa.int64()).fill_null(19700101).to_numpy(zero_copy_only=False)
    return number // 10_000, number // 100 % 100, number % 100


def _bad(digits: Any) -> Any:
    """Where eight digits are no day of the calendar."""
    year, month, day = _numbers(digits)
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    lengths = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    last = lengths[np.clip(month, 0, 12)] + (leap & (month == 2))
    return (year < 1) | (month < 1) | (month > 12) | (day < 1) | (day > last)


def _days(digits: Any, column: str, faults: Faults) -> Any:
    """Days since 1970-01-01, int32; 0 where there is none."""
    bad = _bad(digits)
    faults.mark(bad, RowFault.DATE_IMPOSSIBLE, column)
    year, month, day = (np.where(bad, 1, part) for part in _numbers(digits))
    months = (year - 1970) * 12 + month - 1
    return (months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1).astype(np.int32)


def _times(text: Any, column: str, faults: Faults) -> Any:
    """2026-10-31 08:00:00, of UTC, or a date alone for its first moment."""
    whole = pc.if_else(pc.match_substring_regex(text, r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), _with_midnight(text), text)
    shaped = _only(whole, _TIME, column, faults)
    digits = pc.replace_substring(pc.utf8_slice_codeunits(shaped, 0, 10), "-", "")
    hours, minutes, seconds = (
        pc.utf8_slice_codeunits(shaped, at, at + 2).cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        for at in (11, 14, 17)
    )
    bad = _bad(digits) | (hours > 23) | (minutes > 59) | (seconds > 59)
    faults.mark(bad, RowFault.DATE_IMPOSSIBLE, column)
    return pc.if_else(pa.array(bad), None, shaped).cast(pa.timestamp("us"))


def _with_midnight(text: Any) -> Any:
    return pc.binary_join_element_wise(text, "00:00:00", " ")


_PARSERS: Final[dict[str, Callable[[Any, str, Faults], Any]]] = {
    "int": _integers,
    "yyyymm": _integers,
    "dec": _decimals,
    "date": _dates,
    "datetime": _times,
    "bool": _booleans,
}
