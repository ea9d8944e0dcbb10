"""A snapshot made from the one before equals one made from nothing, whatever happened to the records in between."""

import os
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xinyidai.catalogue import builtin_catalogue

from enclave.features.build import LoadReport, build_snapshot
from enclave.matrix import SnapshotStore
from tests.support.random_records import Drawer, draw_records
from tests.support.records import Row, uscc, write_records

AS_OF = date(2026, 10, 31)
NEXT = date(2026, 11, 30)
FIRMS = 20
EXAMPLES = 100 if os.environ.get("XYD_CAMPAIGN") == "long" else 2
CATEGORIES = ("annual_report", "social_insurance", "housing_fund", "administrative_penalty", "pledge_guarantee")


class City:
    """A folder of records and a store of snapshots."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.catalogue = builtin_catalogue()
        self.store = SnapshotStore(root / "snapshots", self.catalogue)

    def load(self, records: dict[str, list[Row]], as_of: date, anew: bool = False) -> LoadReport:
        folder = self.root / "records"
        for path in folder.glob("*.parquet"):
            path.unlink()
        write_records(folder, self.catalogue, **records)
        return build_snapshot(folder, self.catalogue, self.store, as_of, anew=anew)

    def content(self, report: LoadReport) -> dict[str, bytes]:
        """Every file of a snapshot that speaks of enterprises."""
        folder = self.root / "snapshots" / report.snapshot_id
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".npy"}

    def cells(self, report: LoadReport, codes: Sequence[str]) -> list[NDArray[np.uint16]]:
        matrix = self.store.open(report.snapshot_id)
        return [np.array(matrix.row(code)) for code in codes]


def disturb(random: Random, records: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Some rows go, some change, some come: a firm may vanish or appear, a category be withdrawn altogether."""
    found = {}
    for category, rows in records.items():
        drawer = Drawer(random, category, AS_OF)
        kept = [row for row in rows if random.random() > 0.03]
        changed = [{**drawer.row(row["uscc"]), "record_id": row["record_id"]} for row in rows if random.random() < 0.03]
        moved = timedelta(minutes=1)
        later = [{**row, "recv_time": row["recv_time"] + moved, "record_id": row["record_id"]} for row in changed]
        new = [{**drawer.row(uscc(random.randrange(FIRMS + 3))), "record_id": f"n{at}"} for at in range(3)]
        if random.random() > 0.1:
            found[category] = [*kept, *later, *new]
    return found


@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1), as_of=st.sampled_from([AS_OF, AS_OF, NEXT]))
def test_a_refreshed_snapshot_equals_a_full_build(seed: int, as_of: date) -> None:
    random = Random(seed)
    first = draw_records(random, CATEGORIES, AS_OF, FIRMS)
    second = disturb(random, first)
    with TemporaryDirectory() as root:
        city = City(Path(root))
        city.load(first, AS_OF)
        refreshed = city.load(second, as_of)
        full = city.load(second, as_of, anew=True)
        assert city.content(refreshed) == city.content(full)
        assert refreshed.categories == full.categories


def steady(firms: int = 10) -> dict[str, list[Row]]:
    return {
        "annual_report": [
            {"uscc": uscc(at), "record_id": f"{at}", "report_year": 2025, "filed_date": "2026-05-01", "equity": 50.0}
            for at in range(firms)
        ],
        "pledge_guarantee": [
            {"uscc": uscc(at), "record_id": f"{at}", "kind": "external_guarantee", "status": "in_force",
             "reg_date": "2026-01-01", "secured_amount": 10.0}
            for at in range(firms)
        ],
    }  # fmt: skip


class TestWhatIsComputed:
    @pytest.fixture
    def city(self, tmp_path: Path) -> City:
        city = City(tmp_path)
        assert city.load(steady(), AS_OF).computed > 0
        return city

    def test_nothing_when_nothing_changed(self, city: City) -> None:
        assert city.load(steady(), AS_OF).computed == 0

    def test_one_firm_in_the_categories_that_read_its_record(self, city: City) -> None:
        """Its equity stands in the annual report, which features of three more categories read."""
        records = steady()
        records["annual_report"][3] = {**records["annual_report"][3], "equity": 5.0}
        report = city.load(records, AS_OF)
        assert report.computed == 4
        at = [feature.code for feature in city.catalogue.features].index("plg_guarantee_to_equity")
        others, own = city.cells(report, [uscc(2), uscc(3)])
        assert others[at] != own[at]

    def test_everything_when_the_windows_moved(self, city: City) -> None:
        assert city.load(steady(), NEXT).computed == city.load(steady(), NEXT, anew=True).computed

    def test_everything_when_the_prints_are_gone_or_damaged(self, city: City) -> None:
        prints = city.store.root / city.store.current_id() / "prints.npz"
        prints.write_bytes(prints.read_bytes()[:100])
        assert city.load(steady(), AS_OF).computed > 0

    def test_a_record_sent_again_changes_nothing(self, city: City) -> None:
        records = steady()
        again = {**records["annual_report"][0], "recv_time": datetime(2026, 11, 20)}
        records["annual_report"].append(again)
        assert city.load(records, AS_OF).computed == 0, "it is late, so not visible yet"
