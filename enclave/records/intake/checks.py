"""Checks of one slice of a batch against the catalogue. Nothing goes row by row in Python."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN, RowFault
from xinyidai.catalogue import ARROW_TYPES, Field

from enclave.records.intake.faults import Faults
from enclave.records.intake.identity import Judged, judge_identities
from enclave.records.intake.parsing import parse_text
from enclave.records.intake.plausibility import (
    BOUNDS_BY_UNIT,
    DATE_ORDERS,
    EARLIEST_MONTH,
    FIRST_YEAR,
    MAY_BE_FUTURE,
    MAY_BE_NEGATIVE,
    UNIT_RATIOS,
)
from enclave.records.intake.texts import check_text, is_text, readable_text
from enclave.records.vault.segments import BATCH_COLUMN

_LARGEST: Final = 1e12
"""Exclusive bound of a number: what decimal(18, 6) holds."""
_NEEDED: Final = "record_id"
_RECEIVED: Final = "recv_time"
"""Given with records of the past; a row without it was received now."""
_FIRST_DAY: Final = (datetime(FIRST_YEAR, 1, 1) - datetime(1970, 1, 1)).days
_DAY_MICROSECONDS: Final = 86_400_000_000
_CLOCK_DAYS: Final = 1
"""A department's clock, or day, may be this far ahead."""


def stored_schema(fields: tuple[Field, ...]) -> pa.Schema:
    """Of segments with records: the catalogue's columns, then where a row came from."""
    own = [pa.field(field.name, ARROW_TYPES[field.type]) for field in fields]
    return pa.schema([*own, pa.field(BATCH_COLUMN, pa.int64()), pa.field(LINE_COLUMN, pa.int64())])


def quarantine_schema(fields: tuple[Field, ...]) -> pa.Schema:
    """Every value as text, as it came; then where it came from and what was wrong."""
    own = [pa.field(field.name, pa.string()) for field in fields]
    rest = [(BATCH_COLUMN, pa.int64()), (LINE_COLUMN, pa.int64()), ("_fault", pa.string()), ("_column", pa.string())]
    return pa.schema([*own, *(pa.field(name, kind) for name, kind in rest)])


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """A slice taken apart."""

    good: pa.Table
    """Rows with a USCC, in the stored schema."""
    keyed: pa.Table
    """Good rows whose `uscc` is a key to be matched, in the stored schema."""
    quarantined: pa.Table
    faults: dict[tuple[str, str], int]
    """(fault, column) to rows."""


class Checker:
    """The checks of one category on one day. `now`: seconds since 1970-01-01 UTC."""

    def __init__(self, category: str, fields: tuple[Field, ...], now: int) -> None:
        self._fields = fields
        self._names = tuple(field.name for field in fields)
        self._now = pa.scalar(now * 1_000_000, ARROW_TYPES["datetime"])
        self._today = now // 86_400
        moment = datetime.fromtimestamp(now, UTC)
        self._month = moment.year * 100 + moment.month
        self._orders = [pair for pair in DATE_ORDERS if set(pair) <= set(self._names)]
        self._ratios = UNIT_RATIOS.get(category, ())
        self.stored, self.quarantine = stored_schema(fields), quarantine_schema(fields)

    def check(self, part: pa.Table, sequence: int, conflicts: NDArray[np.bool_], copies: NDArray[np.bool_]) -> Checked:
        """`part`: of `read_content`, one chunk. `conflicts`, `copies`: rows that repeat another. Raises `ArrowInvalid`
        for an array that breaks Arrow's own rules."""
        faults = Faults(part.num_rows, self._names)
        faults.mark_named(readable_text(_one(part.column(FAULT_COLUMN)))[0])
        raw = {field.name: self._readable(part, field, faults) for field in self._fields}
        for field in self._fields:
            if is_text(raw[field.name].type):
                check_text(raw[field.name], field.name, faults, number=field.type not in ("str", "enum"))
        typed = {field.name: self._typed(raw[field.name], field, faults) for field in self._fields}
        typed[_RECEIVED] = typed[_RECEIVED].fill_null(self._now)
        identity = judge_identities(typed["uscc"], faults)
        for field in self._fields:
            self._check_field(typed[field.name], field, faults)
        self._check_together(typed, faults)
        faults.mark(conflicts, RowFault.CONFLICT, "record_id")
        return self._divide(part, raw, {**typed, "uscc": identity.codes}, identity, faults, sequence, copies)

    def _readable(self, part: pa.Table, field: Field, faults: Faults) -> Any:
        array = _one(part.column(field.name))
        if not is_text(array.type):
            array.validate(full=True)
            return array
        text, bad = readable_text(array)
        if bad is not None:
            faults.mark(bad, RowFault.ENCODING, field.name)
        return text

    def _typed(self, array: Any, field: Field, faults: Faults) -> Any:
        if is_text(array.type):
            return parse_text(array, field.type, field.name, faults)
        return array.cast(ARROW_TYPES[field.type], safe=False)

    def _check_field(self, array: Any, field: Field, faults: Faults) -> None:
        if field.name == _NEEDED and array.null_count:
            faults.mark(pc.is_null(array), RowFault.MISSING, field.name)
        if field.type == "enum":
            listed = pc.or_(pc.is_in(array, pa.array(field.values, pa.string())), pc.is_null(array))
            faults.mark(pc.invert(listed), RowFault.NOT_IN_LIST, field.name)
        elif field.type in ("int", "dec"):
            self._check_number(array, field, faults)
        elif field.type == "yyyymm":
            self._check_month(array, field.name, faults)
        elif field.type == "date":
            latest = 2_932_896 if field.name in MAY_BE_FUTURE else self._today + _CLOCK_DAYS  # 9999-12-31
            _check_days(_filled(array.cast(pa.int32()), 0), latest, field.name, faults)
        elif field.type == "datetime":
            days = _filled(array.cast(pa.int64()), 0) // _DAY_MICROSECONDS
            _check_days(days, self._today + _CLOCK_DAYS, field.name, faults)

    def _check_number(self, array: Any, field: Field, faults: Faults) -> None:
        number = _filled(array, 0)
        with np.errstate(invalid="ignore"):
            fits = np.abs(number) < _LARGEST
            faults.mark(~fits, RowFault.NUMBER_RANGE, field.name)
            if field.name not in MAY_BE_NEGATIVE:
                faults.mark(number < 0, RowFault.NEGATIVE, field.name)
            if field.unit is not None and field.unit in BOUNDS_BY_UNIT:
                least, most = BOUNDS_BY_UNIT[field.unit]
                outside = (number < least) | (number > most)
                # What is empty was filled with 0, which some bounds do not hold.
                faults.mark(outside & ~_empty(array), RowFault.IMPLAUSIBLE, field.name)

    def _check_month(self, array: Any, name: str, faults: Faults) -> None:
        month = _filled(array, EARLIEST_MONTH)
        faults.mark(
            (month < EARLIEST_MONTH) | (month > 999_912) | (month % 100 < 1) | (month % 100 > 12),
            RowFault.MONTH_INVALID,
            name,
        )
        faults.mark(month > self._month, RowFault.MONTH_FUTURE, name)

    def _check_together(self, typed: dict[str, Any], faults: Faults) -> None:
        for earlier, later in self._orders:
            faults.mark(pc.greater(typed[earlier], typed[later]), RowFault.DATE_ORDER, later)
        for rule in self._ratios:
            part, base = _filled(typed[rule.part], 0), _filled(typed[rule.base], 0)
            both = (part > 0) & (base > 0)
            ratio = np.divide(part, base, out=np.full(len(both), rule.least, np.float64), where=both)
            faults.mark((ratio < rule.least) | (ratio > rule.most), RowFault.UNIT_RATIO, rule.base)

    def _divide(
        self,
        part: pa.Table,
        raw: dict[str, Any],
        typed: dict[str, Any],
        identity: Judged,
        faults: Faults,
        sequence: int,
        copies: NDArray[np.bool_],
    ) -> Checked:
        clean = faults.clean & ~copies
        stored = self._stored(part, typed, sequence)
        keyed = clean & identity.is_key
        rows = np.flatnonzero(~faults.clean & ~copies)
        return Checked(
            stored if clean.all() and not keyed.any() else stored.filter(pa.array(clean & ~keyed)),
            stored.filter(pa.array(keyed)) if keyed.any() else self.stored.empty_table(),
            *self._quarantined(part, raw, rows, faults, sequence),
        )

    def _stored(self, part: pa.Table, typed: dict[str, Any], sequence: int) -> pa.Table:
        place = [pa.repeat(pa.scalar(sequence, pa.int64()), part.num_rows), part.column(LINE_COLUMN)]
        return pa.Table.from_arrays([*(typed[name] for name in self._names), *place], schema=self.stored)

    def _quarantined(
        self, part: pa.Table, raw: dict[str, Any], rows: NDArray[np.int64], faults: Faults, sequence: int
    ) -> tuple[pa.Table, dict[tuple[str, str], int]]:
        if not rows.size:
            return self.quarantine.empty_table(), {}
        at = pa.array(rows)
        reasons, columns = faults.described(rows)
        # A field of megabytes is cut: the department has the rest.
        values = [pc.utf8_slice_codeunits(raw[name].take(at).cast(pa.string()), 0, 4096) for name in self._names]
        place = [pa.repeat(pa.scalar(sequence, pa.int64()), len(rows)), _one(part.column(LINE_COLUMN)).take(at)]
        counts: dict[tuple[str, str], int] = {}
        for pair in zip(reasons.to_pylist(), columns.to_pylist(), strict=True):
            counts[pair] = counts.get(pair, 0) + 1
        return pa.Table.from_arrays([*values, *place, reasons, columns], schema=self.quarantine), counts


def _one(column: Any) -> Any:
    """A chunked array as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _filled(array: Any, value: int) -> NDArray[Any]:
    filled: NDArray[Any] = (array.fill_null(value) if array.null_count else array).to_numpy(zero_copy_only=False)
    return filled


def _empty(array: Any) -> NDArray[np.bool_]:
    empty: NDArray[np.bool_] = pc.is_null(array).to_numpy(zero_copy_only=False)
    return empty


def _check_days(days: NDArray[Any], latest: int, name: str, faults: Faults) -> None:
    faults.mark(days < _FIRST_DAY, RowFault.DATE_IMPOSSIBLE, name)
    faults.mark(days > latest, RowFault.DATE_FUTURE, name)
