"""The law as data: rules of a catalogue, in force from their date, carried out on any category they name."""

from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.catalogue import Catalogue, CatalogueError, builtin_catalogue, parse_catalogue

from enclave.features.values import feature_values
from enclave.records.disputed import Disputed
from enclave.records.law import Law, months_before
from enclave.records.reader import embedded_backend, read_records
from tests.support.catalogues import one_category
from tests.support.records import record_table, told, uscc, write_records

AS_OF = date(2026, 10, 31)
CATALOGUE = one_category(
    "harbour",
    rules="""
rules:
  - code: fines_fade
    text: "x"
    effective: "EFFECTIVE"
    source: "x"
    applies:
    - APPLIES
""",
    fields="""
  - {name: fined, type: date, evidence: P}
  - {name: shown_until, type: date, evidence: P}
  - {name: weight, type: enum, values: [light, heavy], evidence: P}
  - {name: mended, type: bool, evidence: P}
  - {name: tons, type: dec, unit: "t", evidence: P}
""",
    features="""
  - {code: port_tons, title: {zh: "x", en: "x"}, definition: "tons", unit: "t", direction: higher, window: as_of,
     grid: [1, 2], field: tons, evidence: P}
""",
)
LONGEST = "{category: harbour, end: shown_until, begin: fined, severity: weight, most_months: {light: 3, heavy: 12}}"


def ports(applies: str = LONGEST, effective: str = "2026-04-01") -> Catalogue:
    return parse_catalogue(CATALOGUE.replace("EFFECTIVE", effective).replace("APPLIES", applies).encode())


def shut_out(catalogue: Catalogue, as_of: date = AS_OF, **row: Any) -> bool:
    table = ibis.memtable(record_table(catalogue, "harbour", [row]))
    (kept,) = table.select(lawful=Law.at(as_of, catalogue).lawful(table, "harbour")).to_pyarrow().to_pylist()
    return not kept["lawful"]


class TestPublicity:
    def test_the_stated_end_counts_from_its_day_on(self) -> None:
        assert shut_out(ports(), fined="2026-09-01", shown_until="2026-10-31")
        assert not shut_out(ports(), fined="2026-09-01", shown_until="2026-11-01")

    def test_nothing_outlives_the_longest_period_of_its_severity(self) -> None:
        for weight, last in (("light", "2026-07-31"), ("heavy", "2025-10-31"), (None, "2025-10-31")):
            assert shut_out(ports(), fined=last, weight=weight, shown_until="2030-01-01")
            day_after = date.fromisoformat(last).replace(day=1)
            later = date(day_after.year + day_after.month // 12, day_after.month % 12 + 1, 1)
            assert not shut_out(ports(), fined=later.isoformat(), weight=weight)

    def test_what_has_neither_end_nor_beginning_is_not_shut_out(self) -> None:
        assert not shut_out(ports(), weight="light")

    @given(st.dates(date(2020, 1, 31), date(2030, 12, 31)), st.integers(1, 60))
    def test_the_last_day_is_the_last_from_which_the_months_have_passed(self, day: date, months: int) -> None:
        found = months_before(day, months)
        whole = (day.year - found.year) * 12 + day.month - found.month
        assert whole == months
        assert found.day <= day.day or found.day == 31 or date.fromordinal(day.toordinal() + 1).day == 1


class TestForce:
    def test_a_rule_holds_from_its_date_on(self) -> None:
        old: dict[str, Any] = {"fined": "2020-01-01", "weight": "light"}
        assert shut_out(ports(effective="2026-10-31"), **old)
        assert not shut_out(ports(effective="2026-11-01"), **old)

    def test_the_repair_measures_are_not_applied_to_the_past(self, tmp_path: Path) -> None:
        rows = [{"list_type": "serious_illegal", "in_date": "2025-05-01", "recv_time": "2025-06-01", "repaired": True}]
        folder = write_records(tmp_path, builtin_catalogue(), abnormal_dishonesty_list=rows)
        before, after = (told(folder, builtin_catalogue(), day) for day in (date(2026, 3, 31), date(2026, 4, 30)))
        assert (before[uscc(1)]["abn_cnt_m36"], after[uscc(1)]["abn_cnt_m36"]) == (1, 0)

    def test_a_category_no_rule_names_is_untouched(self) -> None:
        table = ibis.memtable(record_table(builtin_catalogue(), "tax_payment", [{}]))
        assert Law.at(AS_OF, builtin_catalogue()).breaches(table, "tax_payment") == {}


@pytest.mark.parametrize(
    ("applies", "message"),
    [
        ("{category: airport, repaired: mended}", "names a category this catalogue lacks"),
        ("{category: harbour, repaired: fined}", "names no bool field"),
        ("{category: harbour, end: mended}", "names no date field"),
        ("{category: harbour}", "must be a text"),
        ("{category: harbour, repaired: mended, end: shown_until}", "says either"),
        ("{category: harbour, end: shown_until, begin: fined}", "needs begin, severity and most_months together"),
        (LONGEST.replace(", heavy: 12", ""), "names every value of the severity once"),
        (LONGEST.replace("light: 3", "light: 0"), "at least one month"),
        ("{category: harbour, repaired: mended, colour: red}", "unknown key"),
    ],
)
def test_a_rule_that_cannot_be_carried_out_is_refused(applies: str, message: str) -> None:
    with pytest.raises(CatalogueError, match=message):
        ports(applies)


def test_a_rule_needs_a_date() -> None:
    with pytest.raises(CatalogueError, match="must be a date"):
        ports(effective="soon")


class TestDisputes:
    def told_without(self, folder: Path, *disputed: Disputed) -> float:
        found = feature_values(folder, builtin_catalogue(), AS_OF, disputed=disputed)
        at = [feature.code for feature in builtin_catalogue().features].index("pen_cnt_m12")
        return float(found.values[0, at])

    def test_a_disputed_record_is_left_out_and_counted(self, tmp_path: Path) -> None:
        rows = [{"cf_jdrq": "2026-05-01", "record_id": name} for name in "ab"]
        folder = write_records(tmp_path, builtin_catalogue(), administrative_penalty=rows)
        mark = Disputed("administrative_penalty", uscc(1), "a", None)
        assert (self.told_without(folder), self.told_without(folder, mark)) == (2, 1)
        (count,) = read_records(folder, builtin_catalogue(), AS_OF, embedded_backend(folder), [mark]).counts
        assert (count.rows, count.disputed, count.duplicates) == (2, 1, 0)

    def test_nobody_disputes_anothers_record(self, tmp_path: Path) -> None:
        folder = write_records(
            tmp_path, builtin_catalogue(), administrative_penalty=[{"cf_jdrq": "2026-05-01", "record_id": "a"}]
        )
        assert self.told_without(folder, Disputed("administrative_penalty", uscc(2), "a", None)) == 1
        assert self.told_without(folder, Disputed("judicial_enforcement", uscc(1), "a", None)) == 1

    def test_a_version_delivered_after_the_decision_counts_again(self, tmp_path: Path) -> None:
        """Decided for the enterprise on 1 June: what was there by then stays out, the mended version is used."""
        row = {"record_id": "a", "cf_jdrq": "2026-05-01"}
        rows = [{**row, "recv_time": "2026-05-10"}, {**row, "recv_time": "2026-06-20"}]
        folder = write_records(tmp_path, builtin_catalogue(), administrative_penalty=rows)
        decided = Disputed("administrative_penalty", uscc(1), "a", 1780272000)
        assert self.told_without(folder, decided) == 1
        only_old = write_records(tmp_path / "old", builtin_catalogue(), administrative_penalty=rows[:1])
        assert self.told_without(only_old, decided) == 0
