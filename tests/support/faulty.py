"""Rows of electricity use, and what can be wrong with one: one row in a hundred, each in its own way."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.batches import RowFault
from xinyidai.catalogue import builtin_catalogue

from tests.support.ingest import as_text
from tests.support.records import record_table, uscc

CATEGORY: Final = "electricity_usage"
GOOD: Final = {
    "account_no": "E1", "power_nature": "industrial", "contract_capacity": 100.0, "running_capacity": 80.5,
    "period_ym": 202601, "kwh": 1000.5, "bill": 700.25, "paid": 700.25, "due_date": "2026-02-20",
    "pay_date": "2026-02-11", "penalty": 0.0, "prepaid": False, "breach_type": "none", "supply_status": "normal",
    "data_month": 202601,
}  # fmt: skip
_WRONG_CHECK: Final = uscc(1)[:17] + ("0" if uscc(1)[17] != "0" else "1")
Kind = tuple[str, str, Any, RowFault]
"""What is wrong, the column, what stands in it, and the reason that must be told."""
TEXT_KINDS: Final[list[Kind]] = [
    ("a word for a number", "kwh", "many", RowFault.TYPE),
    ("a fraction for a month", "period_ym", "2026.5", RowFault.TYPE),
    ("a doubt for a truth value", "prepaid", "perhaps", RowFault.TYPE),
    ("a date in words", "pay_date", "11 February 2026", RowFault.TYPE),
    ("a time in words", "recv_time", "noon", RowFault.TYPE),
    ("30 February", "pay_date", "2026-02-30", RowFault.DATE_IMPOSSIBLE),
    ("a thirteenth month of a date", "due_date", "2026/13/01", RowFault.DATE_IMPOSSIBLE),
    ("a date of another millennium", "pay_date", "1026-02-11", RowFault.DATE_IMPOSSIBLE),
    ("a twenty-fifth hour", "recv_time", "2026-01-15 25:00:00", RowFault.DATE_IMPOSSIBLE),
    ("a payment that is yet to come", "pay_date", "2036-02-11", RowFault.DATE_FUTURE),
    ("negative money", "paid", "-700.25", RowFault.NEGATIVE),
    ("more than all money", "bill", "1e300", RowFault.NUMBER_RANGE),
    ("VA for kVA", "contract_capacity", "100000000", RowFault.IMPLAUSIBLE),
    ("MWh for kWh", "kwh", "0.10005", RowFault.UNIT_RATIO),
    ("Wh for kWh", "kwh", "1000500", RowFault.UNIT_RATIO),
    ("a word that is not listed", "power_nature", "nuclear", RowFault.NOT_IN_LIST),
    ("a thirteenth month", "period_ym", "202613", RowFault.MONTH_INVALID),
    ("a month of another century", "data_month", "209901", RowFault.MONTH_FUTURE),
    ("a formula", "account_no", "=HYPERLINK(A1)", RowFault.FORMULA),
    ("a formula that begins with @", "account_no", "@SUM(A1)", RowFault.FORMULA),
    ("a formula that calls a program", "account_no", "+cmd|' /C calc'!A0", RowFault.FORMULA),
    ("a formula for a number", "bill", "=1+1", RowFault.FORMULA),
    ("a text without end", "account_no", "x" * 10_000, RowFault.TOO_LONG),
    ("a control character", "account_no", "nul\x00byte", RowFault.CONTROL_CHARACTER),
    ("what a careless conversion leaves", "account_no", "\ufffd\ufffd", RowFault.ENCODING),
    ("no record id", "record_id", "", RowFault.MISSING),
    ("no enterprise", "uscc", "", RowFault.MISSING),
    ("half a code", "uscc", "91320700MA1", RowFault.IDENTITY_MALFORMED),
    ("a wrong check character", "uscc", _WRONG_CHECK, RowFault.IDENTITY_CHECK),
    ("another row's id", "record_id", "r000000", RowFault.CONFLICT),
]
"""Wherever values are text."""
TYPED_KINDS: Final[list[Kind]] = [
    ("no number", "kwh", float("nan"), RowFault.NUMBER_RANGE),
    ("infinity", "bill", float("inf"), RowFault.NUMBER_RANGE),
    ("more than all money", "bill", 1e300, RowFault.NUMBER_RANGE),
    ("negative money", "paid", -700.25, RowFault.NEGATIVE),
    ("VA for kVA", "contract_capacity", 1e8, RowFault.IMPLAUSIBLE),
    ("MWh for kWh", "kwh", 0.10005, RowFault.UNIT_RATIO),
    ("Wh for kWh", "kwh", 1_000_500.0, RowFault.UNIT_RATIO),
    ("a date of another millennium", "pay_date", date(1026, 2, 11), RowFault.DATE_IMPOSSIBLE),
    ("a time of another millennium", "recv_time", datetime(1026, 1, 15), RowFault.DATE_IMPOSSIBLE),
    ("a payment that is yet to come", "pay_date", date(2036, 2, 11), RowFault.DATE_FUTURE),
    ("a receipt that is yet to come", "recv_time", datetime(2036, 1, 15), RowFault.DATE_FUTURE),
    ("a thirteenth month", "period_ym", 202613, RowFault.MONTH_INVALID),
    ("a negative month", "period_ym", -1, RowFault.MONTH_INVALID),
    ("a month of another century", "data_month", 209901, RowFault.MONTH_FUTURE),
    ("a word that is not listed", "power_nature", "nuclear", RowFault.NOT_IN_LIST),
    ("a formula", "account_no", "=HYPERLINK(A1)", RowFault.FORMULA),
    ("a formula that begins with @", "account_no", "@SUM(A1)", RowFault.FORMULA),
    ("10 MB in a field", "account_no", "x" * 10_000_000, RowFault.TOO_LONG),
    ("a control character", "account_no", "nul\x00byte", RowFault.CONTROL_CHARACTER),
    ("what a careless conversion leaves", "account_no", "\ufffd\ufffd", RowFault.ENCODING),
    ("bytes that are no text", "supply_status", b"\xb5\xe7\xff", RowFault.ENCODING),
    ("no record id", "record_id", None, RowFault.MISSING),
    ("no enterprise", "uscc", None, RowFault.MISSING),
    ("half a code", "uscc", "91320700MA1", RowFault.IDENTITY_MALFORMED),
    ("a wrong check character", "uscc", _WRONG_CHECK, RowFault.IDENTITY_CHECK),
    ("another row's id", "record_id", "r000000", RowFault.CONFLICT),
]
"""In a Parquet file whose columns have types of their own."""
_LINE: Final = b"91320700MA10000010,d,r1"
CSV_LINES: Final[list[tuple[str, bytes, RowFault]]] = [
    ("too few columns", b"too,few", RowFault.COLUMN_COUNT),
    ("too many columns", b"," * 40, RowFault.COLUMN_COUNT),
    ("a quotation mark that is never closed", b'"' + _LINE, RowFault.COLUMN_COUNT),
    ("another encoding", _LINE + b",\xb5\xe7\xff", RowFault.ENCODING),
    ("10 MB in a field", b"x" * 10_000_000, RowFault.TOO_LONG),
]
"""Whole lines of a CSV file; those that are not too short or too long by themselves are filled up with commas."""
JSON_LINES: Final[list[tuple[str, bytes, RowFault]]] = [
    ("no JSON", b"{not json", RowFault.TYPE),
    ("a list for a record", b"[1, 2]", RowFault.COLUMN_COUNT),
    ("a list for a value", b'{"kwh": [1000.5]}', RowFault.TYPE),
    ("a field nobody knows", b'{"note": "x"}', RowFault.COLUMN_COUNT),
    ("deep nesting", b"[" * 100_000, RowFault.TYPE),
    ("another encoding", b'{"account_no": "\xb5\xe7\xff"}', RowFault.ENCODING),
    ("10 MB in a field", b'{"account_no": "' + b"x" * 10_000_000 + b'"}', RowFault.TOO_LONG),
]
"""Whole lines of a JSON Lines file."""


@dataclass(frozen=True, slots=True)
class FaultyFile:
    path: Path
    rows: int
    expected: dict[int, tuple[str, str, RowFault]]
    """By line: what is wrong, its column ("" for the whole row), and the reason."""


def good_rows(count: int) -> pa.Table:
    """In the types of the catalogue."""
    rows = [{**GOOD, "record_id": f"r{at:06d}", "uscc": uscc(at)} for at in range(count)]
    return record_table(builtin_catalogue(), CATEGORY, rows)


def with_values(table: pa.Table, values: Mapping[int, tuple[str, Any]]) -> pa.Table:
    """`table` with some fields replaced: row to (column, value). Bytes stand in a column of text as they are."""
    for name in {column for column, _ in values.values()}:
        changed: list[Any] = table.column(name).to_pylist()
        for at, (column, value) in values.items():
            if column == name:
                changed[at] = value
        kind = table.schema.field(name).type
        if any(isinstance(value, bytes) for value in changed):
            raw = pa.array([v.encode() if isinstance(v, str) else v for v in changed], pa.binary())
            array = pa.Array.from_buffers(kind, len(raw), raw.buffers())
        else:
            array = pa.array(changed, kind)
        table = table.set_column(table.column_names.index(name), name, array)
    return table


def _placed(kinds: list[Kind], first: int) -> dict[int, tuple[str, Any]]:
    """One kind in every hundred rows, the row of a hundred being `first`."""
    return {100 * place + first: (column, value) for place, (_, column, value, _) in enumerate(kinds)}


def _expected(kinds: list[Kind], first_line: int) -> dict[int, tuple[str, str, RowFault]]:
    return {100 * at + 7 + first_line: (what, column, fault) for at, (what, column, _, fault) in enumerate(kinds)}


def _lines_file(
    path: Path, lines: list[bytes], broken: list[tuple[str, bytes, RowFault]], first_line: int
) -> FaultyFile:
    """Lines of which those of `TEXT_KINDS` are wrong already; whole broken lines take the places after them."""
    expected = _expected(TEXT_KINDS, first_line)
    for number, (what, line, fault) in enumerate(broken, start=len(TEXT_KINDS)):
        lines[100 * number + 7] = line
        expected[100 * number + 7 + first_line] = (what, "", fault)
    return FaultyFile(path, len(lines), expected)


def _text_rows(count: int) -> pa.Table:
    return with_values(as_text(good_rows(count)), _placed(TEXT_KINDS, 7))


def csv_file(folder: Path) -> FaultyFile:
    table = _text_rows(100 * (len(TEXT_KINDS) + len(CSV_LINES)))
    lines = []
    for row in table.to_pylist():
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(row.values())
        lines.append(text.getvalue().encode())
    commas = len(table.column_names) - 1
    broken = [
        (what, line if "column" in what else line + b"," * (commas - line.count(b",")), fault)
        for what, line, fault in CSV_LINES
    ]
    made = _lines_file(folder / "faulty.csv", lines, broken, 2)
    made.path.write_bytes(b"\n".join([",".join(table.column_names).encode(), *lines]) + b"\n")
    return made


def json_file(folder: Path) -> FaultyFile:
    table = _text_rows(100 * (len(TEXT_KINDS) + len(JSON_LINES)))
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in table.to_pylist()]
    made = _lines_file(folder / "faulty.jsonl", lines, JSON_LINES, 1)
    made.path.write_bytes(b"\n".join(lines) + b"\n")
    return made


def text_parquet_file(folder: Path) -> FaultyFile:
    """Every column is text."""
    path, count = folder / "faulty-text.parquet", 100 * len(TEXT_KINDS)
    pq.write_table(_text_rows(count), path)
    return FaultyFile(path, count, _expected(TEXT_KINDS, 1))


def typed_parquet_file(folder: Path) -> FaultyFile:
    path, count = folder / "faulty-typed.parquet", 100 * len(TYPED_KINDS)
    pq.write_table(with_values(good_rows(count), _placed(TYPED_KINDS, 7)), path)
    return FaultyFile(path, count, _expected(TYPED_KINDS, 1))
