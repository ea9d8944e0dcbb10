"""The board of the vault: what intake set aside counts, since it was delivered, and none of its text is shown."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from xinyidai.batches import FAULT_COLUMN
from xinyidai.quality import Cell

from enclave.quality.measures import measure_quality
from tests.support.ingest import Domain, as_text, organisation_code, with_lines
from tests.support.records import Row, record_table, uscc

AS_OF = date(2026, 11, 30)
FIRMS = range(1, 11)
FUND = "housing_fund"


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    made = Domain.create(tmp_path / "d")
    made.take_rows("enterprise_registration", [{"uscc": uscc(n), "record_id": f"reg{n}"} for n in FIRMS], "register")
    return made


def deposits(**wrong: object) -> list[Row]:
    """Ten, of which the last one is `wrong`."""
    rows: list[Row] = [
        {
            "uscc": uscc(n), "record_id": f"f{n}", "data_month": 202604, "recv_time": "2026-05-20",
            "source_dept": "GJJ", "unit_account": "u", "period_ym": 202604, "payer_count": 3, "amount": 900.0,
        }
        for n in FIRMS
    ]  # fmt: skip
    return [*rows[:-1], {**rows[-1], **wrong}]


def cells(domain: Domain, as_of: date = AS_OF) -> Sequence[Cell]:
    found = measure_quality(domain.vault.snapshot(), domain.catalogue, as_of)
    return [one for one in found.cells if one.category == FUND and one.month]


def test_a_row_in_quarantine_is_not_standard_and_is_about_somebody(domain: Domain) -> None:
    assert domain.take_rows(FUND, deposits(amount=-1.0)).quarantined == 1
    (found,) = cells(domain)
    assert (found.source, found.month, found.rows) == ("GJJ", 202604, 10)
    assert found.shares["standardization"] == 0.9
    assert found.shares["linkage"] == 1
    assert found.shares["coverage"] == 0.9, "it was delivered, and nothing was taken of it"


@pytest.mark.parametrize("code", [uscc(10)[:17] + "?", "X", organisation_code(77)])
def test_a_row_about_nobody_known_is_linked_to_nobody(domain: Domain, code: str) -> None:
    """In quarantine for its code, or waiting for the link of an organisation code."""
    domain.take_rows(FUND, deposits(uscc=code))
    (found,) = cells(domain)
    assert (found.rows, found.shares["linkage"]) == (10, 0.9)
    assert found.shares["standardization"] == (1 if code == organisation_code(77) else 0.9)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_month": 202699},
        {"data_month": 209901},
        {"recv_time": "2031-01-01"},
        {"source_dept": "=1+1"},
        {"source_dept": "PLANTED", "amount": -1.0},
        {"source_dept": None, "data_month": None, "recv_time": None, "amount": -1.0},
    ],
)
def test_what_cannot_be_placed_or_shown_is_of_its_batch(domain: Domain, wrong: dict[str, object]) -> None:
    """Its own source and month are as doubtful as the rest of it, and a text in quarantine is put on no board."""
    assert domain.take_rows(FUND, deposits(**wrong)).quarantined == 1
    (found,) = cells(domain)
    assert (found.source, found.month, found.rows, found.shares["standardization"]) == ("GJJ", 202604, 10, 0.9)


def test_lines_that_could_not_be_taken_apart_count_as_rows_without_any_field(domain: Domain) -> None:
    table = with_lines(as_text(record_table(domain.catalogue, FUND, deposits())))
    broken = [name for name in table.column_names if name != "_line"]
    for name in broken:
        values = table.column(name).to_pylist()
        table = table.set_column(table.column_names.index(name), name, pa.array([*values[:-1], None], pa.string()))
    faults = pa.array([None] * 9 + ["column_count"], pa.string())
    assert domain.take(FUND, table.append_column(FAULT_COLUMN, faults)).quarantined == 1
    (found,) = cells(domain)
    filled = 9 * len({"unit_account", "period_ym", "payer_count", "amount"})
    assert found.shares["completeness"] == round(filled / (10 * len(domain.catalogue.category(FUND).fields)), 3)


def test_a_source_of_which_nothing_was_taken_is_on_the_board(domain: Domain) -> None:
    rows = [{**row, "amount": -1.0} for row in deposits()]
    assert domain.take_rows(FUND, rows, "batch-0001").taken == 0
    found = cells(domain)
    assert [(one.source, one.rows, one.shares["standardization"]) for one in found] == [("swj", 10, 0)]


def test_what_was_set_aside_after_the_day_is_not_seen(domain: Domain) -> None:
    domain.take_rows(FUND, deposits(recv_time="2026-11-02", amount=-1.0))
    (found,) = cells(domain, date(2026, 10, 31))
    assert (found.enterprises, found.shares["standardization"]) == (10, 1)
