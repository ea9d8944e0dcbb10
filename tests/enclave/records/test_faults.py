"""One row in a hundred is wrong, in over twenty ways: each is set aside for the right reason, the rest is taken."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xinyidai.batches import FAULT_COLUMN

from enclave.records.vault import SegmentKind
from tests.support.faulty import CATEGORY, TEXT_KINDS, good_rows, with_values
from tests.support.ingest import Domain, as_text, with_lines
from tests.support.records import uscc


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return Domain.create(tmp_path / "d")


def text_rows(count: int) -> pa.Table:
    return as_text(good_rows(count))


def with_value(table: pa.Table, column: str, at: int, value: str | None) -> pa.Table:
    return with_values(table, {at: (column, value)})


def test_each_kind_of_fault_and_everything_else_taken(domain: Domain) -> None:
    rows = 100 * len(TEXT_KINDS)
    values = {100 * place + 7: (column, value) for place, (_, column, value, _) in enumerate(TEXT_KINDS)}
    batch = domain.take(CATEGORY, with_values(text_rows(rows), values))
    assert batch.quarantined == len(TEXT_KINDS) >= 20
    assert batch.taken == rows - len(TEXT_KINDS)
    held = domain.stored(CATEGORY, SegmentKind.QUARANTINED).to_pylist()
    told = [(row["_line"], row["_fault"], row["_column"]) for row in held]
    assert told == [(100 * at + 8, str(fault), column) for at, (_, column, _, fault) in enumerate(TEXT_KINDS)]
    # What was delivered is kept beside the reason, cut where it is endless.
    assert held[0]["kwh"] == "many"
    assert max(len(row["account_no"] or "") for row in held) == 4096


def test_what_is_right_is_stored_in_the_types_of_the_catalogue(domain: Domain) -> None:
    domain.take(CATEGORY, text_rows(3))
    stored = domain.stored(CATEGORY)
    assert stored.drop_columns(["_batch", "_line"]).equals(good_rows(3))


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("pay_date", "2026/2/1", "2026-02-01"),
        ("pay_date", "20240229", "2024-02-29"),
        ("prepaid", "是", "True"),
        ("kwh", " 1000.5 ", "1000.5"),
        ("kwh", "+1.0005e3", "1000.5"),
        ("due_date", "", "None"),
        ("uscc", uscc(5).lower(), uscc(5)),
        ("recv_time", "", "2026-11-18 11:06:40"),
    ],
)
def test_ways_of_writing_that_are_understood(domain: Domain, column: str, value: str, stored: str) -> None:
    batch = domain.take(CATEGORY, with_value(text_rows(1), column, 0, value))
    assert (batch.taken, batch.faults) == (1, ())
    assert [str(one) for one in domain.held(CATEGORY, column)] == [stored]


def test_dates_in_the_wrong_order(domain: Domain) -> None:
    row = {"list_type": "other", "in_date": "2026-05-01", "out_date": "2026-04-01"}
    batch = domain.take_rows("abnormal_dishonesty_list", [row])
    assert domain.faults(batch) == {("date_order", "out_date"): 1}


def test_a_validity_may_end_in_the_future_and_profits_may_be_negative(domain: Domain) -> None:
    permit = domain.take_rows("administrative_permit", [{"xk_jdrq": "2026-01-01", "xk_yxqzi": "9999-12-31"}])
    report = domain.take_rows("annual_report", [{"report_year": 2025, "net_profit": -3.5}], "batch-0002")
    assert (permit.taken, report.taken) == (1, 1)


def test_faults_an_uploader_found_are_kept(domain: Domain) -> None:
    table = with_lines(text_rows(3))
    table = table.append_column(FAULT_COLUMN, pa.array([None, "column_count", "unheard_of"], pa.string()))
    assert domain.faults(domain.take(CATEGORY, table)) == {("column_count", ""): 1, ("encoding", ""): 1}


def test_bytes_that_are_no_text_spoil_their_row_alone(domain: Domain) -> None:
    raw = pa.array([b"E1", b"\xb5\xe7\xff", b"E3"], pa.binary())
    # As a hostile program sends it: called text, and no UTF-8.
    text = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    table = text_rows(3)
    table = table.set_column(table.column_names.index("account_no"), "account_no", text)
    batch = domain.take(CATEGORY, table)
    assert (batch.taken, domain.faults(batch)) == (2, {("encoding", "account_no"): 1})


CHANGES: dict[str, Callable[[np.random.Generator], str]] = {
    "kwh": lambda g: str(g.integers(-5, 10**9) / 7),
    "pay_date": lambda g: f"{g.integers(1, 9999):04d}-{g.integers(0, 14):02d}-{g.integers(0, 33):02d}",
    "period_ym": lambda g: str(g.integers(0, 10**6)),
    "uscc": lambda g: "".join(g.choice(list("0123456789ABCXIO"), 18)),
}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 2**31)), max_size=40))
def test_no_row_is_ever_lost(tmp_path: Path, changes: list[tuple[str, int]]) -> None:
    table: Any = text_rows(50)
    for place, (column, seed) in enumerate(changes):
        table = with_value(table, column, place, CHANGES[column](np.random.default_rng(seed)))
    domain = Domain.create(tmp_path / f"d{np.random.default_rng().integers(2**60)}")
    batch = domain.take(CATEGORY, table)
    assert batch.taken + batch.quarantined + batch.duplicated + batch.waiting == 50
    assert batch.taken >= 50 - len(changes)
    lines = [domain.held(CATEGORY, "_line", kind) for kind in (SegmentKind.TAKEN, SegmentKind.QUARANTINED)]
    assert sorted(lines[0] + lines[1]) == list(range(1, 51))
