"""What one delivered month costs: the segments it makes, and the enterprises it is about."""

from datetime import date
from pathlib import Path
from typing import Any

from enclave.features.build import build_snapshot
from enclave.matrix import SnapshotStore
from enclave.records.vault import SegmentKind
from tests.support.ingest import Domain
from tests.support.records import Row, months, uscc

AS_OF = date(2026, 10, 31)
FIRMS = 12


def deposits(firms: range, first: int, last: int) -> list[Row]:
    """Housing fund: settled after two months."""
    return [
        {"uscc": uscc(firm), "record_id": f"f{firm}-{ym}", "data_month": ym, "period_ym": ym, "payer_count": 3,
         "amount": 600.0 + ym % 7}
        for firm in firms
        for ym in months(first, last)
    ]  # fmt: skip


def pensions(firms: range) -> list[Row]:
    rest: dict[str, Any] = {"insurance_type": "pension", "insured_count": 6}
    return [
        {"uscc": uscc(firm), "record_id": f"p{firm}-{ym}", "data_month": ym, "period_ym": ym, **rest}
        for firm in firms
        for ym in months(202501, 202608)
    ]


def files(domain: Domain) -> dict[Path, tuple[int, int]]:
    """Every segment with its age and size."""
    found = (domain.root / "vault" / "segments").rglob("*.parquet")
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in found}


def test_a_new_month_writes_and_computes_what_it_is_about_and_nothing_else(tmp_path: Path) -> None:
    domain = Domain.create(tmp_path / "d")
    store = SnapshotStore(tmp_path / "snapshots", domain.catalogue)
    domain.take_rows("social_insurance", pensions(range(FIRMS)), "pensions-1")
    domain.take_rows("housing_fund", deposits(range(FIRMS), 202501, 202607), "deposits-1")
    first = build_snapshot(domain.vault.snapshot(), domain.catalogue, store, AS_OF)
    before = files(domain)

    domain.take_rows("housing_fund", deposits(range(3), 202608, 202608), "deposits-2")
    after = files(domain)
    assert before.items() <= after.items()
    (new,) = after.keys() - before.keys()
    assert new.parent.name == "housing_fund"
    assert [one.rows for one in domain.vault.manifest().live(SegmentKind.TAKEN, "housing_fund")] == [228, 3]

    second = build_snapshot(domain.vault.snapshot(), domain.catalogue, store, AS_OF)
    assert first.computed > 0 and second.computed == 3
    full = build_snapshot(domain.vault.snapshot(), domain.catalogue, store, AS_OF, anew=True)
    assert second.snapshot_id != first.snapshot_id
    at = [feature.code for feature in domain.catalogue.features].index("hf_consecutive_months")
    rows = [[store.open(one.snapshot_id).row(uscc(firm)) for firm in range(FIRMS)] for one in (first, second, full)]
    assert [list(a) for a in rows[1]] == [list(b) for b in rows[2]]
    assert [firm for firm in range(FIRMS) if rows[0][firm][at] != rows[1][firm][at]] == [0, 1, 2]
