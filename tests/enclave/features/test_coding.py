"""Values become cells as the contract's own `cell_of` says, and a snapshot holds them."""

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.catalogue import Feature, builtin_catalogue

from enclave.features.build import build_snapshot
from enclave.features.coding import ValueStatus, code_feature
from enclave.matrix import SnapshotStore
from tests.support.records import uscc, write_records

FEATURES = builtin_catalogue().features
AS_OF = date(2026, 10, 31)


@st.composite
def feature_and_value(draw: st.DrawFn) -> tuple[Feature, float]:
    """Anywhere, and often on an edge or right beside one."""
    feature = draw(st.sampled_from(FEATURES))
    edge = draw(st.sampled_from(feature.grid))
    beside = st.sampled_from([edge, np.nextafter(edge, np.inf), np.nextafter(edge, -np.inf)])
    return feature, float(draw(beside | st.floats(allow_nan=False)))


@given(feature_and_value())
def test_coding_agrees_with_the_contract(case: tuple[Feature, float]) -> None:
    feature, value = case
    status = np.array([ValueStatus.VALUE, ValueStatus.MISSING, ValueStatus.NOT_APPLICABLE], np.uint8)
    cells = code_feature(feature, np.array([value, np.nan, np.nan]), status)
    assert cells.tolist() == [feature.cell_of(value), feature.missing, feature.not_applicable]


def test_not_a_number_is_never_coded_as_a_value() -> None:
    with pytest.raises(ValueError, match="not a number"):
        code_feature(FEATURES[0], np.array([np.nan]), np.array([ValueStatus.VALUE], np.uint8))


def test_a_snapshot_holds_the_cells_of_everyone(tmp_path: Path) -> None:
    catalogue = builtin_catalogue()
    rows = [{"uscc": uscc(at), "est_date": f"20{at:02d}-10-01", "reg_capital": 100.0} for at in (9, 24, 16)]
    records = write_records(tmp_path / "records", catalogue, enterprise_registration=rows, gas_usage=[])
    store = SnapshotStore(tmp_path / "snapshots", catalogue)
    report = build_snapshot(records, catalogue, store, AS_OF)
    matrix = store.open(store.current_id())
    assert (matrix.snapshot_id, matrix.as_of, len(matrix)) == (report.snapshot_id, "2026-10-31", 3)
    age, capital = (catalogue.feature(code) for code in ("reg_age_months", "reg_capital_wan"))
    gas = FEATURES.index(catalogue.feature("gas_volume_m12"))
    for at, months in ((9, 204), (16, 120), (24, 24)):
        row = matrix.row(uscc(at))
        assert row[FEATURES.index(age)] == age.cell_of(months)
        assert row[FEATURES.index(capital)] == capital.cell_of(100)
        assert row[gas] == FEATURES[gas].not_applicable
        assert row[-1] == FEATURES[-1].missing  # nobody's pledges are held


def test_the_same_records_give_the_same_cells_under_another_name(tmp_path: Path) -> None:
    """Receipts name the snapshot: a name made from the cells would let whoever reads them check guesses."""
    catalogue = builtin_catalogue()
    rows = [{"uscc": uscc(at), "est_date": "2020-01-01"} for at in range(50)]
    names, contents = set(), set()
    for name, ordered in (("up", rows), ("down", rows[::-1])):
        records = write_records(tmp_path / name, catalogue, enterprise_registration=ordered)
        store = SnapshotStore(tmp_path / f"{name}-snapshots", catalogue)
        snapshot = build_snapshot(records, catalogue, store, AS_OF).snapshot_id
        names.add(snapshot)
        contents.add((tmp_path / f"{name}-snapshots" / snapshot / "cells.npy").read_bytes())
    assert (len(names), len(contents)) == (2, 1)


def test_the_report_is_numbers_alone_in_both_languages(tmp_path: Path) -> None:
    catalogue = builtin_catalogue()
    rows = [{"record_id": "a"}, {"record_id": "a"}, {"uscc": "nonsense"}, {"uscc": uscc(2)}]
    records = write_records(tmp_path / "records", catalogue, tax_credit=rows)
    text = build_snapshot(records, catalogue, SnapshotStore(tmp_path / "snapshots", catalogue), AS_OF).text()
    heading, line, *_ = text.splitlines()
    assert "重复 / duplicates" in heading
    assert line.split() == ["tax_credit", "4", "1", "1", "0", "0", "0", "2"]
    assert "无文件 / no file: enterprise_registration" in text
    assert "企业 / enterprises 2  特征 / features 92" in text
    assert uscc(2) not in text and "nonsense" not in text
