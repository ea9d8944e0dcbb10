"""Files as departments have them become batches: every line is accounted for, whatever it holds."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xinyidai.batches import FAULT_COLUMN, LINE_COLUMN
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_department_id, parse_enclave_id

from clients.uploader import FileFormat, PackedBatch, UnreadableFile, pack_file
from tests.support.ingest import Domain
from tests.support.records import uscc

CATALOGUE = builtin_catalogue()
CATEGORY = "housing_fund"
HEADING = (
    "uscc,record_id,data_month,unit_account,period_ym,payer_count,amount,base_total,unit_rate,account_status,paid_date"
)
LINE = f"{uscc(1)},r1,202601,连云港第一户,202601,3,1500.50,30000,5,active,2026-01-10"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["uscc", "amount", "x"]), inner),
    max_leaves=4,
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def pack(path: Path, **options: Any) -> list[PackedBatch]:
    enclaves = [parse_enclave_id("lianyungang-1")]
    return list(pack_file(path, CATEGORY, CATALOGUE, parse_department_id("gjj"), enclaves, **options))


def rows_of(batches: Sequence[PackedBatch]) -> list[dict[str, Any]]:
    return [row for one in batches for row in pq.read_table(pa.BufferReader(one.content)).to_pylist()]


def csv_file(folder: Path, *lines: str | bytes, heading: str = HEADING, encoding: str = "utf-8") -> Path:
    path = folder / "fund.csv"
    parts = [heading, *lines]
    path.write_bytes(b"\n".join(p if isinstance(p, bytes) else p.encode(encoding) for p in parts) + b"\n")
    return path


def faults(rows: list[dict[str, Any]]) -> dict[int, str]:
    return {row[LINE_COLUMN]: row[FAULT_COLUMN] for row in rows if row[FAULT_COLUMN]}


class TestCsv:
    @pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
    def test_values_come_as_they_are_written_with_their_line(self, tmp_path: Path, encoding: str) -> None:
        rows = rows_of(pack(csv_file(tmp_path, LINE, encoding=encoding), encoding=encoding))
        (row,) = rows
        assert (row["unit_account"], row["amount"], row[LINE_COLUMN]) == ("连云港第一户", "1500.50", 2)
        assert (row["source_dept"], row["recv_time"], row[FAULT_COLUMN]) == ("gjj", None, None)

    def test_every_kind_of_broken_line_keeps_its_number(self, tmp_path: Path) -> None:
        path = csv_file(
            tmp_path,
            LINE,  # 2
            "too,few",  # 3
            LINE.replace("连云港第一户", '"two\nlines, one field"'),  # 4 and 5
            LINE + ",one more",  # 6
            "",  # 7
            LINE.encode().replace("连云港".encode(), b"\xff\xfe"),  # 8
            LINE.replace("连云港第一户", "x" * 10_000_000),  # 9
            LINE,  # 10
            "",
        )
        rows = rows_of(pack(path))
        assert sorted(row[LINE_COLUMN] for row in rows) == [2, 3, 4, 6, 8, 9, 10]
        assert faults(rows) == {3: "column_count", 6: "column_count", 8: "encoding", 9: "too_long"}
        assert max(len(one.content) for one in pack(path)) < 20_000

    def test_a_quotation_mark_that_is_never_closed_swallows_nothing(self, tmp_path: Path) -> None:
        opened = LINE.replace("连云港第一户", '"连云港第一户')
        wrong = {3: opened, 6: LINE.replace("r1", '"r1'), 7: opened, 900: opened, 1999: opened}
        lines = [wrong.get(number, LINE) for number in range(2, 2001)]
        rows = rows_of(pack(csv_file(tmp_path, *lines)))
        assert sorted(row[LINE_COLUMN] for row in rows) == list(range(2, 2001))
        assert faults(rows) == dict.fromkeys(wrong, "column_count")
        assert {row["unit_account"] for row in rows if not row[FAULT_COLUMN]} == {"连云港第一户"}

    def test_a_field_of_several_lines_and_marks_inside_a_field_are_what_they_are(self, tmp_path: Path) -> None:
        texts = ['"一,\r\n二,\r\n""三"""', '5" 管', '""', '"a""b"', '"a"b"c']
        path = csv_file(tmp_path, *(LINE.replace("连云港第一户", text) for text in texts), LINE)
        rows = rows_of(pack(path))
        assert faults(rows) == {}
        read = [row["unit_account"] for row in rows]
        assert read == ['一,\r\n二,\r\n"三"', '5" 管', "", 'a"b', 'ab"c', "连云港第一户"]

    def test_a_broken_line_of_another_encoding_spoils_no_other(self, tmp_path: Path) -> None:
        path = csv_file(tmp_path, LINE, "太,少,了", LINE.replace("连云港", '"连云港'), "", LINE, encoding="gb18030")
        rows = rows_of(pack(path, encoding="gb18030"))
        assert faults(rows) == {3: "column_count", 4: "column_count"}
        assert [row[LINE_COLUMN] for row in rows if not row[FAULT_COLUMN]] == [2, 6]

    def test_a_line_of_forty_megabytes_is_one_wrong_line(self, tmp_path: Path) -> None:
        path = csv_file(tmp_path, LINE, "x" * 40_000_000, LINE, LINE.replace("active", "y" * 40_000_000), LINE)
        assert faults(rows := rows_of(pack(path))) == {3: "too_long", 5: "too_long"}
        assert sorted(row[LINE_COLUMN] for row in rows) == [2, 3, 4, 5, 6]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 19),
                st.binary(max_size=60) | st.text('",\r a', max_size=40).map(str.encode) | st.just(LINE.encode()),
            ),
            max_size=4,
        )
    )
    def test_no_line_changes_what_is_read_of_another(self, tmp_path: Path, wrong: list[tuple[int, bytes]]) -> None:
        """Whatever the bytes of a line: all lines around it are read as if it were not there, with their numbers."""
        lines: list[str | bytes] = [LINE.replace("r1", f"r{at}") for at in range(20)]
        for at, raw in wrong:
            lines[at] = raw.replace(b"\n", b"")
        rows = rows_of(pack(csv_file(tmp_path, *lines)))
        assert len({row[LINE_COLUMN] for row in rows}) == len(rows)
        untouched = set(range(20)) - {at for at, _ in wrong}
        read = {row[LINE_COLUMN]: row["record_id"] for row in rows if not row[FAULT_COLUMN]}
        assert {at + 2: f"r{at}" for at in untouched}.items() <= read.items()

    def test_a_mark_of_byte_order_is_passed_over(self, tmp_path: Path) -> None:
        path = csv_file(tmp_path, LINE)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert len(rows_of(pack(path))) == 1

    @pytest.mark.parametrize(
        ("heading", "says"),
        [
            (HEADING.replace("amount,", ""), "'amount'"),
            (HEADING + ",note", "'note'"),
            (HEADING.replace("amount", "uscc"), "'uscc'"),
            ("x" * 100_000, "too long"),
            ("", "is missing"),
        ],
    )
    def test_a_heading_that_is_not_the_catalogues(self, tmp_path: Path, heading: str, says: str) -> None:
        with pytest.raises(UnreadableFile, match=says):
            pack(csv_file(tmp_path, LINE, heading=heading))

    def test_an_encoding_nobody_declared(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match="utf-8, gb18030"):
            pack(csv_file(tmp_path, LINE), encoding="latin-1")


class TestJsonLines:
    def test_numbers_stay_as_written_and_broken_lines_are_told(self, tmp_path: Path) -> None:
        names = HEADING.split(",")
        good = dict(zip(names, LINE.split(","), strict=True)) | {"amount": 1, "paid_date": None}
        text = json.dumps(good, ensure_ascii=False).replace('"amount": 1', '"amount": 0.10')
        path = tmp_path / "fund.jsonl"
        lines = [
            text.encode(),
            b"{not json",
            b"",
            json.dumps({**good, "note": 1}).encode(),
            json.dumps({**good, "amount": [1]}).encode(),
            b'{"uscc": "' + b"x" * 3_000_000 + b'"}',
            json.dumps({**good, "unit_account": "y" * 9000}).encode(),
            b'{"uscc": "\xff"}',
            b"[" * 100_000,
            text.encode(),
        ]
        path.write_bytes(b"\n".join(lines))
        rows = rows_of(pack(path))
        assert [row["amount"] for row in rows if not row[FAULT_COLUMN]] == ["0.10", "0.10"]
        assert [row[LINE_COLUMN] for row in rows] == [1, 2, 4, 5, 6, 7, 8, 9, 10]
        told = {2: "type", 4: "column_count", 5: "type", 6: "too_long", 7: "too_long", 8: "encoding", 9: "type"}
        assert faults(rows) == told

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.lists(st.tuples(st.integers(0, 9), st.binary(max_size=60) | JSON.map(as_json)), max_size=4))
    def test_no_line_changes_what_is_read_of_another(self, tmp_path: Path, wrong: list[tuple[int, bytes]]) -> None:
        good = dict(zip(HEADING.split(","), LINE.split(","), strict=True))
        lines = [as_json({**good, "record_id": f"r{at}"}) for at in range(10)]
        for at, raw in wrong:
            lines[at] = raw.replace(b"\n", b"")
        path = tmp_path / "fund.jsonl"
        path.write_bytes(b"\n".join(lines))
        rows = rows_of(pack(path))
        read = {row[LINE_COLUMN]: row["record_id"] for row in rows if not row[FAULT_COLUMN]}
        assert {at + 1: f"r{at}" for at in set(range(10)) - {at for at, _ in wrong}}.items() <= read.items()


class TestParquet:
    def test_types_that_lose_nothing_are_widened_and_others_sent_as_text(self, tmp_path: Path) -> None:
        table = pa.table(
            {
                "uscc": pa.array([uscc(1)]).dictionary_encode(),
                "record_id": ["r1"],
                "recv_time": pa.array([datetime(2026, 1, 15)], pa.timestamp("ms")),
                "data_month": pa.array([202601], pa.int32()),
                "unit_account": ["a"],
                "period_ym": pa.array(["202601"]),
                "payer_count": pa.array([3], pa.int16()),
                "amount": pa.array([1500], pa.int64()),
                "base_total": pa.array([3.5], pa.float32()),
                "unit_rate": [5.0],
                "account_status": ["active"],
                "paid_date": pa.array([date(2026, 1, 10)]),
            }
        )
        path = tmp_path / "fund.parquet"
        pq.write_table(table, path)
        (batch,) = pack(path)
        schema = pq.read_schema(pa.BufferReader(batch.content))
        assert schema.field("amount").type == pa.float64()
        assert schema.field("payer_count").type == pa.int64()
        assert schema.field("recv_time").type == pa.timestamp("us")
        assert schema.field("period_ym").type == pa.string()
        assert rows_of([batch])[0][LINE_COLUMN] == 1

    def test_one_value_that_no_type_holds_refuses_no_other(self, tmp_path: Path) -> None:
        """A number beyond what a double counts, a time of nanoseconds, a text of megabytes: each spoils its own row."""
        names = ("uscc", "record_id", "data_month", "unit_account", "period_ym", "account_status", "paid_date")
        columns = {name: pa.array([LINE.split(",")[HEADING.split(",").index(name)]] * 3) for name in names}
        numbers = {
            "payer_count": pa.array([3, 2**64 - 1, 3], pa.uint64()),
            "amount": pa.array([1500, 2**53 + 1, 1500], pa.int64()),
            "base_total": pa.array([3.5] * 3),
            "unit_rate": pa.array([5.0] * 3),
            "recv_time": pa.array([1_768_435_200_000_000_001] * 3, pa.timestamp("ns")),
        }
        texts = pa.array([LINE.split(",")[3], "x", "y" * 10_000_000])
        path = tmp_path / "fund.parquet"
        pq.write_table(pa.table({**columns, **numbers, "unit_account": texts}), path)
        (batch,) = pack(path)
        rows = rows_of([batch])
        assert faults(rows) == {3: "too_long"}
        assert [row["payer_count"] for row in rows] == ["3", str(2**64 - 1), "3"]
        assert [row["recv_time"] for row in rows] == [datetime(2026, 1, 15)] * 3
        domain = Domain.create(tmp_path / "d")
        table = pq.read_table(pa.BufferReader(batch.content))
        ids = pa.array(["r1", "r2", "r3"])
        taken = domain.take(CATEGORY, table.set_column(table.column_names.index("record_id"), "record_id", ids))
        assert (taken.taken, taken.quarantined) == (1, 2)

    def test_a_file_that_is_none(self, tmp_path: Path) -> None:
        path = tmp_path / "fund.parquet"
        path.write_bytes(b"PAR1")
        with pytest.raises(UnreadableFile, match="cannot be read as parquet"):
            pack(path)


class TestBatches:
    def test_the_same_file_gives_the_same_batches(self, tmp_path: Path) -> None:
        path = csv_file(tmp_path, *[LINE.replace("r1", f"r{at}") for at in range(10)])
        first, second = pack(path, batch_rows=4), pack(path, batch_rows=4)
        assert [one.header.rows for one in first] == [4, 4, 2]
        assert [(b.header.batch, b.header.digest) for b in first] == [(b.header.batch, b.header.digest) for b in second]
        assert len({one.header.batch for one in first}) == 3
        assert [row[LINE_COLUMN] for row in rows_of(first)] == list(range(2, 12))

    def test_the_format_is_told_by_the_name(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableFile, match=r"\.csv"):
            FileFormat.of(tmp_path / "fund.xlsx")

    def test_a_hostile_file_through_to_the_vault(self, tmp_path: Path) -> None:
        """What the uploader and the data domain make of it together."""
        domain = Domain.create(tmp_path / "d")
        path = csv_file(
            tmp_path,
            LINE,
            LINE.replace("连云港第一户", "=cmd|' /C calc'!A0").replace("r1", "r2"),
            LINE.replace("1500.50", "-1500.50").replace("r1", "r3"),
            "a,b",
        )
        (batch,) = pack(path)
        table = pq.read_table(pa.BufferReader(batch.content))
        taken = domain.take(CATEGORY, table, department="gjj")
        assert taken.taken == 1
        assert domain.faults(taken) == {
            ("formula", "unit_account"): 1,
            ("negative", "amount"): 1,
            ("column_count", ""): 1,
        }
