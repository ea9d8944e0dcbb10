"""Which records made a feature, found by the features' own code: exact at the edges of windows, laws and disputes."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from xinyidai.catalogue import Catalogue, builtin_catalogue
from xinyidai.identifiers import Uscc, parse_uscc
from xinyidai.lineage import LineageRecord

from clients.city import generate_city
from enclave.features.coding import ValueStatus
from enclave.features.values import feature_values
from enclave.lineage.answer import fit
from enclave.lineage.counts import count_lineage
from enclave.lineage.experiments import MAX_RECORDS, attribute
from enclave.lineage.rows import enterprise_rows
from enclave.lineage.trace import Trace, trace
from enclave.records.disputed import Disputed
from tests.support.records import Row, months, uscc, write_records

AS_OF = date(2026, 10, 31)
FIRM = parse_uscc(uscc(1))


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return builtin_catalogue()


def traced(folder: Path, catalogue: Catalogue, feature: str, *disputed: Disputed, enterprise: Uscc = FIRM) -> Trace:
    return trace(folder, catalogue, catalogue.feature(feature), enterprise, AS_OF, disputed)


def names(records: tuple[LineageRecord, ...]) -> set[str]:
    return {record.record_id for record in records}


def electricity(first: int, last: int, **rest: Any) -> list[Row]:
    """One bill a month, named by its month."""
    return [
        {"record_id": f"e{ym}", "period_ym": ym, "data_month": ym, "kwh": 500.0, **rest} for ym in months(first, last)
    ]


def test_a_window_has_exactly_its_months(tmp_path: Path, catalogue: Catalogue) -> None:
    """Electricity settles after a month: m12 is October 2025 to September 2026, though there are bills on both sides.
    Every month uses the same, so that no bill stands out."""
    folder = write_records(tmp_path, catalogue, electricity_usage=electricity(202409, 202610))
    found = traced(folder, catalogue, "ele_kwh_avg_m12")
    assert names(found.records) == {f"e{ym}" for ym in months(202510, 202609)}
    assert found.said is not None and found.said.value == 500
    growth = traced(folder, catalogue, "ele_growth_yoy")
    assert names(growth.records) == {f"e{ym}" for ym in months(202410, 202609)}


def test_growth_that_is_missing_has_no_records(tmp_path: Path, catalogue: Catalogue) -> None:
    """Eleven months of the year before are no full year: nothing there says anything."""
    folder = write_records(tmp_path, catalogue, electricity_usage=electricity(202411, 202609))
    found = traced(folder, catalogue, "ele_growth_yoy")
    assert found.said is not None and found.said.status is ValueStatus.MISSING and found.records == ()


def test_of_several_versions_only_the_newest_counts_and_what_came_late_does_not(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rows: list[Row] = [
        {"record_id": "a", "cf_jdrq": "2026-05-01", "recv_time": "2026-05-02", "cf_nr_fk": 1.0},
        {"record_id": "a", "cf_jdrq": "2026-05-01", "recv_time": "2026-06-02", "cf_nr_fk": 2.0},
        {"record_id": "late", "cf_jdrq": "2026-10-20", "recv_time": "2026-11-01", "cf_nr_fk": 4.0},
        {"record_id": "old", "cf_jdrq": "2023-10-31", "recv_time": "2023-11-01", "cf_nr_fk": 8.0},
        {"record_id": "theirs", "uscc": uscc(2), "cf_jdrq": "2026-05-01", "cf_nr_fk": 16.0},
    ]
    folder = write_records(tmp_path, catalogue, administrative_penalty=rows)
    (record,) = traced(folder, catalogue, "pen_amount_m36").records
    assert (record.record_id, record.received, record.source) == ("a", "2026-06-02T00:00:00", "d")


def test_the_law_and_disputes_say_what_was_left_out(tmp_path: Path, catalogue: Catalogue) -> None:
    rows: list[Row] = [
        {"record_id": "used"},
        {"record_id": "mended", "repaired": True},
        {"record_id": "faded", "cf_gsjzq": "2026-09-30"},
        {"record_id": "small", "severity": "minor"},
        {"record_id": "disputed"},
    ]
    rows = [{"cf_jdrq": "2026-05-01", **row} for row in rows]
    folder = write_records(tmp_path, catalogue, administrative_penalty=rows)
    found = traced(folder, catalogue, "pen_cnt_m12", Disputed("administrative_penalty", FIRM, "disputed", None))
    assert names(found.records) == {"used"}
    assert {(record.record_id, record.rule) for record in found.left_out} == {
        ("mended", "repaired"),
        ("faded", "publicity_end"),
        ("small", "publicity_end"),
        ("disputed", "disputed"),
    }
    assert found.rules == ("publicity_end", "repaired")


def test_records_that_say_the_same_are_all_named(tmp_path: Path, catalogue: Catalogue) -> None:
    rows: list[Row] = [{"record_id": name, "est_date": "2016-10-15", "reg_capital": 800.0} for name in "ab"]
    folder = write_records(tmp_path, catalogue, enterprise_registration=rows)
    assert names(traced(folder, catalogue, "reg_age_months").records) == {"a", "b"}


def test_the_latest_grade_is_the_latest_records_although_an_older_one_is_alike(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    rows: list[Row] = [{"record_id": f"g{year}", "eval_year": year, "grade": "B"} for year in (2023, 2024, 2025)]
    folder = write_records(tmp_path, catalogue, tax_credit=rows)
    assert names(traced(folder, catalogue, "tcr_grade_latest").records) == {"g2025"}


def test_a_feature_of_two_holders_names_the_records_of_both(tmp_path: Path, catalogue: Catalogue) -> None:
    pension: list[Row] = [
        {"record_id": f"p{ym}", "period_ym": ym, "data_month": ym, "insurance_type": "pension", "insured_count": 10}
        for ym in months(202507, 202608)
    ]
    medical = [{**row, "record_id": f"m{row['period_ym']}", "insurance_type": "medical"} for row in pension]
    fund: list[Row] = [
        {"record_id": f"f{ym}", "period_ym": ym, "data_month": ym, "payer_count": 5, "amount": 9.0}
        for ym in months(202507, 202608)
    ]
    folder = write_records(tmp_path, catalogue, social_insurance=[*pension, *medical], housing_fund=fund)
    found = traced(folder, catalogue, "hf_coverage")
    assert found.said is not None and found.said.value == 50
    assert names(found.records) == {f"{kind}{ym}" for kind in "pf" for ym in months(202509, 202608)}


def test_an_enterprise_without_records_has_a_value_without_a_source(tmp_path: Path, catalogue: Catalogue) -> None:
    """Where the holder attests coverage, no penalty is a fact, and no record says it."""
    folder = write_records(tmp_path, catalogue, administrative_penalty=[{"cf_jdrq": "2026-05-01"}])
    found = traced(folder, catalogue, "pen_cnt_m12", enterprise=parse_uscc(uscc(3)))
    assert found.said is not None and (found.said.value, found.records) == (0, ())


def test_too_many_records_are_said_to_be_so(tmp_path: Path, catalogue: Catalogue) -> None:
    rows: list[Row] = [{"cf_jdrq": "2026-05-01"} for _ in range(MAX_RECORDS + 1)]
    folder = write_records(tmp_path, catalogue, administrative_penalty=rows)
    found = traced(folder, catalogue, "pen_cnt_m12")
    assert (found.said, found.records) == (None, ())


def test_of_a_whole_city_the_named_records_are_enough_and_the_value_is_the_snapshots(
    tmp_path: Path, catalogue: Catalogue
) -> None:
    """Of one enterprise: the value is what the load computed, and the named records alone give it."""
    generate_city(enterprises=40, seed=11, as_of=AS_OF, out=tmp_path)
    loaded = feature_values(tmp_path, catalogue, AS_OF)
    firm = 17
    enterprise = parse_uscc(loaded.enterprises[firm].decode())
    chosen = [feature for at, feature in enumerate(catalogue.features) if at % 9 == 3]
    for feature in chosen:
        at = [one.code for one in catalogue.features].index(feature.code)
        rows = enterprise_rows(tmp_path, catalogue, feature.sources, enterprise, AS_OF, ())
        found = attribute(catalogue, feature, rows.kept, AS_OF)
        assert int(found.said.status) == loaded.status[firm, at], feature.code
        assert np.isclose(found.said.value, loaded.values[firm, at], rtol=0, atol=1e-9, equal_nan=True), feature.code
        named = {code: rows.kept[code].filter(pa.array(flags)) for code, flags in found.contributing.items()}
        assert attribute(catalogue, feature, named, AS_OF).said.same(found.said), feature.code


def test_an_operator_gets_counts_over_at_least_five_enterprises(tmp_path: Path, catalogue: Catalogue) -> None:
    rows: list[Row] = [
        {"uscc": uscc(firm), "record_id": f"{month}-{firm}", "cf_jdrq": "2026-05-01", "data_month": month, **rest}
        for month, firms, rest in ((202605, 7, {}), (202606, 4, {}), (202607, 6, {"repaired": True}))
        for firm in range(firms)
    ]
    folder = write_records(tmp_path, catalogue, administrative_penalty=rows)
    counts = count_lineage(folder, catalogue, catalogue.feature("pen_cnt_m12"), AS_OF)
    assert [(one["month"], one["rule"], one["records"]) for one in counts] == [(202605, "", 5), (202607, "repaired", 5)]
    assert uscc(1) not in str(counts)


def test_lists_are_cut_to_what_a_document_holds() -> None:
    record = LineageRecord("tax_payment", "r" * 200, "市税务局", 202610, "2026-10-31T00:00:00")
    records, left_out = fit([record] * 1000, [record] * 1000)
    assert 0 < len(left_out) < len(records) < 200
    assert fit([], []) == ((), ())
