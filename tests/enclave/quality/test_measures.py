"""The seven measures, on records made so that each has one true value; and what the board must not tell."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from xinyidai.catalogue import builtin_catalogue
from xinyidai.quality import Cell

from enclave.quality.board import LEAST_ENTERPRISES, Board, decode_board, read_board, write_board
from enclave.quality.measures import measure_quality
from enclave.records.disputed import Disputed
from tests.support.records import Row, uscc, write_records

AS_OF = date(2026, 10, 31)
CATALOGUE = builtin_catalogue()
FIRMS = range(1, 11)


def register(firms: range = FIRMS) -> list[Row]:
    return [{"uscc": uscc(n), "record_id": f"reg{n}", "data_month": 202601} for n in firms]


def deposits(firms: range, month: int, **rest: object) -> list[Row]:
    """Housing fund: monthly, settled after two months, eight fields of its own."""
    return [
        {
            "uscc": uscc(n), "record_id": f"{month}-{n}", "data_month": month,
            "recv_time": f"{month // 100}-{month % 100 + 1:02d}-20",
            "source_dept": "GJJ", "unit_account": "u", "period_ym": month, "payer_count": 3, "amount": 9.0,
            **rest,
        }
        for n in firms
    ]  # fmt: skip


def board(folder: Path, *disputed: Disputed, **tables: Sequence[Row]) -> Board:
    return measure_quality(write_records(folder, CATALOGUE, **tables), CATALOGUE, AS_OF, disputed)


def cell(found: Board, category: str = "housing_fund", month: int = 202604) -> Cell:
    (one,) = [cell for cell in found.cells if (cell.category, cell.month) == (category, month)]
    return one


def test_records_without_fault(tmp_path: Path) -> None:
    found = board(tmp_path, enterprise_registration=register(), housing_fund=deposits(FIRMS, 202604))
    assert dict(cell(found).shares) == {
        "compliance": 1, "timeliness": 1, "standardization": 1, "completeness": 0.5, "coverage": 1, "linkage": 1,
    }  # fmt: skip


def test_compliance_is_the_share_the_law_lets_be_used_and_nobody_disputes(tmp_path: Path) -> None:
    rows = [
        {"uscc": uscc(n), "record_id": f"p{n}", "data_month": 202604, "cf_jdrq": "2026-04-02", "repaired": n == 1}
        for n in FIRMS
    ]
    mark = Disputed("administrative_penalty", uscc(2), "p2", None)
    found = board(tmp_path, mark, enterprise_registration=register(), administrative_penalty=rows)
    assert cell(found, "administrative_penalty").shares["compliance"] == 0.8


def test_timeliness_is_the_share_that_was_there_when_the_month_settled(tmp_path: Path) -> None:
    rows = deposits(range(1, 10), 202604, recv_time="2026-06-30T23:59:59")
    late = deposits(range(10, 11), 202604, recv_time="2026-07-01")
    found = board(tmp_path, enterprise_registration=register(), housing_fund=[*rows, *late])
    assert cell(found).shares["timeliness"] == 0.9


@pytest.mark.parametrize(
    "wrong",
    [{"unit_account": " u"}, {"unit_account": ""}, {"source_dept": "GJJ", "record_id": " "}, {"uscc": uscc(1)[:17]}],
)
def test_standardization_counts_what_is_not_as_the_standards_say(tmp_path: Path, wrong: dict[str, str]) -> None:
    rows = [*deposits(range(1, 10), 202604), *({**row, **wrong} for row in deposits(range(10, 11), 202604))]
    found = board(tmp_path, enterprise_registration=register(), housing_fund=rows)
    assert cell(found).shares["standardization"] == 0.9


def test_completeness_is_the_share_of_fields_filled(tmp_path: Path) -> None:
    rows = [*deposits(range(1, 6), 202604), *deposits(range(6, 11), 202604, payer_count=None, amount=None)]
    assert cell(board(tmp_path, housing_fund=rows)).shares["completeness"] == 0.375


def test_continuity_is_the_share_of_last_months_enterprises_that_are_there_again(tmp_path: Path) -> None:
    rows = [*deposits(FIRMS, 202603), *deposits(range(3, 14), 202604)]
    found = board(tmp_path, enterprise_registration=register(range(1, 14)), housing_fund=rows)
    assert cell(found).shares["continuity"] == 0.8
    assert "continuity" not in cell(found, month=202603).shares
    assert cell(found, month=0).shares["continuity"] == 0.8


def test_a_holder_that_does_not_report_monthly_has_no_continuity(tmp_path: Path) -> None:
    rows = [
        {"uscc": uscc(n), "record_id": f"{month}-{n}", "data_month": month} for month in (202603, 202604) for n in FIRMS
    ]
    found = board(tmp_path, enterprise_registration=register(), water_usage=rows)
    assert "continuity" not in cell(found, "water_usage").shares


def test_coverage_and_linkage_compare_with_the_register(tmp_path: Path) -> None:
    found = board(tmp_path, enterprise_registration=register(range(1, 9)), housing_fund=deposits(range(5, 11), 202604))
    assert (cell(found).shares["coverage"], cell(found).shares["linkage"]) == (0.5, 0.667)
    without = board(tmp_path / "without", housing_fund=deposits(FIRMS, 202604))
    assert not {"coverage", "linkage"} & set(cell(without).shares)


def test_codes_that_nobody_registered_cover_nobody(tmp_path: Path) -> None:
    rows = deposits(range(101, 131), 202604)
    found = board(tmp_path, enterprise_registration=register(), housing_fund=rows)
    assert (cell(found).shares["coverage"], cell(found).shares["linkage"]) == (0, 0)


def test_a_dispute_counts_no_row_twice(tmp_path: Path) -> None:
    """Rows without a code are of no dispute."""
    rows = [*deposits(FIRMS, 202604), *({**row, "uscc": None} for row in deposits(range(11, 21), 202604))]
    mark = Disputed("housing_fund", uscc(1), "202604-1", None)
    found = cell(board(tmp_path, mark, enterprise_registration=register(), housing_fund=rows))
    assert (found.rows, found.shares["compliance"]) == (20, 0.95)


class TestWhatItDoesNotTell:
    def test_nothing_is_over_fewer_than_five_enterprises(self, tmp_path: Path) -> None:
        """Four are not shown, and no total minus what is shown gives them away."""
        rows = [*deposits(range(1, 5), 202603), *deposits(range(1, 6), 202604)]
        found = board(tmp_path, enterprise_registration=register(), housing_fund=rows)
        shown = {one.month: (one.rows, one.enterprises) for one in found.cells if one.category == "housing_fund"}
        assert shown == {0: (5, 5), 202604: (5, 5)}

    def test_many_records_of_few_enterprises_are_few_all_the_same(self, tmp_path: Path) -> None:
        rows = [
            {**row, "record_id": f"{copy}-{row['record_id']}"}
            for copy in range(20)
            for row in deposits(range(1, 4), 202604)
        ]
        assert board(tmp_path, housing_fund=rows).cells == ()

    def test_counts_are_rounded_so_that_one_more_does_not_show(self, tmp_path: Path) -> None:
        one_more = [board(tmp_path / str(n), housing_fund=deposits(range(1, n), 202604)) for n in (11, 12, 13)]
        assert {(cell(found).rows, cell(found).enterprises) for found in one_more} == {(10, 10)}
        assert LEAST_ENTERPRISES == 5

    def test_what_arrived_after_as_of_is_not_seen(self, tmp_path: Path) -> None:
        assert board(tmp_path, housing_fund=deposits(FIRMS, 202610, recv_time="2026-11-01")).cells == ()

    def test_the_file_holds_no_code_of_an_enterprise(self, tmp_path: Path) -> None:
        found = board(tmp_path, enterprise_registration=register(), housing_fund=deposits(FIRMS, 202604))
        assert not any(uscc(n).encode() in found.encode() for n in FIRMS)


def test_no_records_make_an_empty_board(tmp_path: Path) -> None:
    assert measure_quality(tmp_path, CATALOGUE, AS_OF).cells == ()


def test_a_board_stands_beside_its_snapshot(tmp_path: Path) -> None:
    (tmp_path / "s1").mkdir()
    made = Board("2026-10-31", (Cell("housing_fund", "GJJ", 202604, 10, 10, {"coverage": 0.5}),))
    write_board(tmp_path, "s1", made)
    assert read_board(tmp_path, "s1") == made
    assert read_board(tmp_path, "s2") is None
    with pytest.raises(ValueError, match="no quality board"):
        decode_board(b"{}")
