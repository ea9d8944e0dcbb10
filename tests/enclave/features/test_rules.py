"""Which rule computes a feature, in this catalogue and in others; and time."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import ibis
import pytest
from xinyidai.catalogue import Catalogue, builtin_catalogue, parse_catalogue

from enclave.features.registry import NoFeatureRule, plan
from enclave.features.tables import Tables
from enclave.features.values import feature_values
from enclave.features.windows import Clock
from enclave.records.reader import embedded_backend, read_records
from tests.support.catalogues import one_category
from tests.support.records import MISSING, Row, told, uscc, write_records

AS_OF = date(2026, 10, 31)
OTHER = one_category(
    "build",
    fields="""
  - {name: tons, type: dec, unit: "t", evidence: P}
  - {name: ships, type: int, unit: "count", evidence: P}
""",
    features="""
  - {code: port_tons, title: {zh: "x", en: "x"}, definition: "tons", unit: "t", direction: higher, window: as_of,
     grid: [1, 2], field: tons, evidence: P}
  - {code: port_ships, title: {zh: "x", en: "x"}, definition: "ships", unit: "count", direction: higher,
     window: as_of, grid: [1, 2], field: ships, evidence: P}
""",
).encode()


def test_a_field_of_the_latest_record_is_read_as_it_is(tmp_path: Path) -> None:
    """Also in a category that happens to be called like one of our own modules."""
    catalogue = parse_catalogue(OTHER)
    rows: list[Row] = [
        {"tons": 3.5, "ships": 4, "data_month": 202609},
        {"tons": 1.25, "ships": None, "data_month": 202610},
        {"tons": 9.0, "ships": 9, "data_month": None},
    ]
    found = told(write_records(tmp_path, catalogue, build=rows), catalogue, AS_OF)
    assert found == {uscc(1): {"port_tons": 1.25, "port_ships": MISSING}}


def without_field(catalogue: Catalogue) -> Catalogue:
    (category,) = catalogue.categories
    features = tuple(replace(feature, field=None) for feature in category.features)
    return replace(catalogue, categories=(replace(category, features=features),))


def test_a_feature_without_a_rule_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(NoFeatureRule, match="port_tons: has no rule here"):
        feature_values(tmp_path / "nowhere", without_field(parse_catalogue(OTHER)), AS_OF)


def test_a_feature_of_our_name_with_another_meaning_is_refused() -> None:
    builtin = builtin_catalogue()
    first = builtin.categories[0]
    renamed = replace(first, features=(replace(first.features[0], definition="another"), *first.features[1:]))
    with pytest.raises(NoFeatureRule, match="defined otherwise"):
        plan(replace(builtin, categories=(renamed, *builtin.categories[1:])))


def test_a_module_whose_fields_are_not_there_is_refused() -> None:
    builtin = builtin_catalogue()
    first = builtin.categories[0]
    bare = replace(first, fields=first.fields[1:])
    with pytest.raises(NoFeatureRule, match="needs fields that enterprise_registration lacks"):
        plan(replace(builtin, categories=(bare, *builtin.categories[1:])))


@pytest.mark.parametrize("what", ["not named", "another unit"])
def test_a_module_whose_figure_is_not_there_is_refused(what: str) -> None:
    builtin = builtin_catalogue()
    changed = builtin
    if what == "another unit":
        changed = replace(builtin, figures=tuple(replace(figure, unit="wan") for figure in builtin.figures))
    else:
        categories = [
            replace(category, features=tuple(replace(feature, figures=()) for feature in category.features))
            for category in builtin.categories
        ]
        changed = replace(builtin, categories=tuple(categories))
    with pytest.raises(NoFeatureRule, match="is computed with the figure si_base_lower_limit"):
        plan(changed)


def test_another_figure_is_computed_with(tmp_path: Path) -> None:
    """An operator who reads the notice corrects the catalogue; no code changes."""
    rows: list[Row] = [
        {"insurance_type": "pension", "period_ym": 202608, "data_month": 202608, "insured_count": 2, "base_total": 12e3}
    ]
    folder = write_records(tmp_path, builtin_catalogue(), social_insurance=rows)
    raw = builtin_catalogue().canonical.replace(b'"value":4952', b'"value":6000')
    for catalogue, ratio in ((builtin_catalogue(), 6000 / 4952), (parse_catalogue(raw), 1.0)):
        assert told(folder, catalogue, AS_OF)[uscc(1)]["si_base_ratio"] == pytest.approx(ratio)


def test_as_of_ends_a_month(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="last day of a month"):
        feature_values(tmp_path, builtin_catalogue(), date(2026, 10, 30))


def test_windows_end_with_the_last_settled_month() -> None:
    clock = Clock.at(AS_OF, builtin_catalogue())
    taxes, permits = clock.of("tax_payment"), clock.of("administrative_permit")
    assert (taxes.m12.first_day, taxes.m12.last_day) == (date(2025, 9, 1), date(2026, 8, 31))
    assert (taxes.p12.first_day, taxes.p12.last_day) == (date(2024, 9, 1), date(2025, 8, 31))
    assert (permits.m36.first_day, permits.m36.last_day) == (date(2023, 11, 1), date(2026, 10, 31))
    assert permits.m24.months == 24


def test_windows_across_a_leap_february() -> None:
    clock = Clock.at(date(2028, 2, 29), builtin_catalogue())
    assert clock.of("tax_payment").m12.last_day == date(2027, 12, 31)


def test_expressions_compile_for_another_engine(tmp_path: Path) -> None:
    """Spark SQL is for where one machine is too small: every expression has a translation, though none is run here."""
    catalogue = builtin_catalogue()
    empty: dict[str, list[Row]] = {category.code: [] for category in catalogue.categories}
    folder = write_records(tmp_path, catalogue, **empty)
    records = read_records(folder, catalogue, AS_OF, embedded_backend(folder))
    clock = Clock.at(AS_OF, catalogue)
    for category in plan(catalogue):
        for table in category.tables(Tables(catalogue, records), clock):
            assert "SELECT" in ibis.to_sql(table, dialect="databricks")
