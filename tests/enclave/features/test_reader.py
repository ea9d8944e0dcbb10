"""Records come strictly as the catalogue says, or not at all; and no message ever repeats a value."""

import re
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import check_character_holds, parse_uscc

from enclave.features.values import feature_values
from enclave.records.errors import RecordsError
from enclave.records.reader import CategoryCount
from tests.support.records import Row, record_table, told, uscc, write_records

AS_OF = date(2026, 10, 31)
CATEGORY = "tax_credit"
SECRET = 987_654_321.0


def counts(folder: Path) -> CategoryCount:
    (count,) = feature_values(folder, builtin_catalogue(), AS_OF).counts
    return count


def refused(folder: Path, change: Callable[[pa.Table], pa.Table]) -> RecordsError:
    """A good file, changed in one way; the error must not carry the record's value."""
    row = {"eval_year": 2025, "grade": "A", "arrears_balance": SECRET, "data_month": 202601}
    folder.mkdir(exist_ok=True)
    pq.write_table(change(record_table(builtin_catalogue(), CATEGORY, [row])), folder / f"{CATEGORY}.parquet")
    with pytest.raises(RecordsError) as caught:
        feature_values(folder, builtin_catalogue(), AS_OF)
    assert caught.value.file == f"{CATEGORY}.parquet"
    assert "987654321" not in f"{caught.value}{caught.value.__cause__}"
    return caught.value


def with_column(name: str, values: list[Any], kind: Any) -> Callable[[pa.Table], pa.Table]:
    def change(table: pa.Table) -> pa.Table:
        at = table.column_names.index(name)
        return table.set_column(at, name, pa.array(values, kind))

    return change


class TestStrictness:
    def test_an_unknown_category_file(self, tmp_path: Path) -> None:
        write_records(tmp_path, builtin_catalogue(), tax_credit=[{}])
        (tmp_path / "tax_credits.parquet").write_bytes(b"")
        with pytest.raises(RecordsError, match=r"tax_credits\.parquet: is of no category"):
            feature_values(tmp_path, builtin_catalogue(), AS_OF)

    def test_a_folder_that_is_none(self, tmp_path: Path) -> None:
        with pytest.raises(RecordsError, match="is no folder"):
            feature_values(tmp_path / "nowhere", builtin_catalogue(), AS_OF)

    def test_a_file_that_is_no_parquet(self, tmp_path: Path) -> None:
        (tmp_path / "tax_credit.parquet").write_bytes(b"PAR1 and then something else")
        with pytest.raises(RecordsError, match="cannot be read as Parquet"):
            feature_values(tmp_path, builtin_catalogue(), AS_OF)

    def test_a_file_that_is_damaged_inside(self, tmp_path: Path) -> None:
        rows = [{"uscc": uscc(at), "eval_year": at, "score": at / 7} for at in range(5_000)]
        path = write_records(tmp_path, builtin_catalogue(), tax_credit=rows) / "tax_credit.parquet"
        raw = bytearray(path.read_bytes())
        raw[1_000:40_000] = bytes(39_000)
        path.write_bytes(raw)
        with pytest.raises(RecordsError, match="cannot be read to its end"):
            feature_values(tmp_path, builtin_catalogue(), AS_OF)

    @pytest.mark.parametrize(
        ("column", "change", "says"),
        [
            ("grade", lambda t: t.drop_columns("grade"), "is missing"),
            ("note", lambda t: t.append_column("note", pa.array(["x"])), "is not in the catalogue"),
            ("score", with_column("score", ["12"], pa.string()), "another type than double"),
            ("eval_year", with_column("eval_year", [1.0], pa.float64()), "another type than int64"),
            ("recv_time", with_column("recv_time", [0], pa.timestamp("us", "UTC")), "without a time zone"),
            ("grade", with_column("grade", ["E987654321"], pa.string()), r"outside its list \(A, B, M, C, D\)"),
            ("data_month", with_column("data_month", [202613], pa.int64()), "no month"),
            ("score", with_column("score", [float("nan")], pa.float64()), "not finite"),
            ("score", with_column("score", [float("inf")], pa.float64()), "not finite"),
            ("arrears_balance", with_column("arrears_balance", [1e12], pa.float64()), "1e12 or more"),
            ("recv_time", with_column("recv_time", [None], pa.timestamp("us")), "without a value"),
            ("record_id", with_column("record_id", [None], pa.string()), "without a value"),
        ],
    )
    def test_a_column_that_is_not_as_the_catalogue_says(
        self, tmp_path: Path, column: str, change: Callable[[pa.Table], pa.Table], says: str
    ) -> None:
        error = refused(tmp_path, change)
        assert error.column == column
        assert re.search(says, str(error))

    @pytest.mark.parametrize("kind", [pa.float64(), pa.int64(), pa.decimal128(25, 2)])
    def test_a_number_may_come_as_double_integer_or_decimal(self, tmp_path: Path, kind: Any) -> None:
        table = record_table(builtin_catalogue(), CATEGORY, [{"arrears_balance": 120.0, "data_month": 202601}])
        at = table.column_names.index("arrears_balance")
        values = pa.array([120], pa.int64()).cast(kind)
        pq.write_table(table.set_column(at, "arrears_balance", values), tmp_path / f"{CATEGORY}.parquet")
        assert told(tmp_path, builtin_catalogue(), AS_OF)[uscc(1)]["tcr_arrears_balance"] == 120


class TestWhatBecomesOfRows:
    def test_duplicates_keep_the_last_received(self, tmp_path: Path) -> None:
        times = ["2026-01-01", "2026-03-01", "2026-02-01"]
        rows = [{"record_id": "a", "recv_time": time, "score": 1.0} for time in times]
        count = counts(write_records(tmp_path, builtin_catalogue(), tax_credit=rows))
        assert (count.rows, count.duplicates, count.enterprises) == (3, 2, 1)

    def test_records_of_two_sources_that_are_numbered_alike_are_two(self, tmp_path: Path) -> None:
        """Water works of a county and of the city both begin at 000001; neither may wipe out the other's."""
        rows = [
            {"record_id": "000001", "source_dept": source, "uscc": uscc(firm), "recv_time": f"2026-0{firm}-01"}
            for firm, source in ((1, "county"), (2, "city"))
        ]
        count = counts(write_records(tmp_path, builtin_catalogue(), water_usage=rows))
        assert (count.rows, count.duplicates, count.enterprises) == (2, 0, 2)

    def test_a_tie_does_not_depend_on_the_order_of_the_file(self, tmp_path: Path) -> None:
        rows = [{"record_id": "a", "status": "in_force", "area": area} for area in (3.0, 9.0, 5.0)]
        areas = {
            told(
                write_records(tmp_path / f"{turn}", builtin_catalogue(), real_estate=rows[turn:] + rows[:turn]),
                builtin_catalogue(),
                AS_OF,
            )[uscc(1)]["re_area_owned"]
            for turn in range(3)
        }
        assert len(areas) == 1

    def test_what_cannot_be_told_is_quarantined(self, tmp_path: Path) -> None:
        good = uscc(1)
        wrong_check = good[:17] + ("0" if good[17] != "0" else "1")
        malformed = [None, "", good[:17], good.lower(), good + "0", good[:17] + "I", good + "\n"]
        rows = [{"uscc": code, "score": 1.0} for code in [good, wrong_check, *malformed]]
        folder = write_records(tmp_path, builtin_catalogue(), tax_credit=rows)
        count = counts(folder)
        assert (count.malformed, count.check_failed, count.enterprises) == (7, 1, 1)
        assert list(told(folder, builtin_catalogue(), AS_OF)) == [good]

    def test_check_characters_are_judged_as_the_contract_does(self, tmp_path: Path) -> None:
        """1 000 codes with every 18th character of the alphabet in turn."""
        alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
        codes = [uscc(at)[:17] + alphabet[at % 31] for at in range(1_000)]
        rows = [{"uscc": code, "score": 1.0} for code in codes]
        found = feature_values(
            write_records(tmp_path, builtin_catalogue(), tax_credit=rows), builtin_catalogue(), AS_OF
        )
        expected = sorted(code for code in codes if check_character_holds(parse_uscc(code)))
        assert [code.decode() for code in found.enterprises] == expected

    def test_late_rows_are_counted_and_not_used(self, tmp_path: Path) -> None:
        rows: list[Row] = [
            {"recv_time": datetime(2026, 10, 31, 23, 59, 59, 999_999)},
            {"recv_time": "2026-11-01"},
            {"data_month": 202611, "recv_time": "2026-10-01"},
        ]
        count = counts(write_records(tmp_path, builtin_catalogue(), tax_credit=rows))
        assert (count.rows, count.late, count.enterprises) == (3, 2, 1)

    def test_no_file_at_all_is_nobody(self, tmp_path: Path) -> None:
        found = feature_values(tmp_path, builtin_catalogue(), AS_OF)
        assert found.values.shape == (0, 92) and found.counts == ()
