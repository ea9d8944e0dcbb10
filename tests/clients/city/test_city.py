"""The synthetic city: exactly the catalogue's columns, the same from the same seed, and as untidy as real data."""

import hashlib
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import check_character_holds, parse_uscc

from clients.city import CityError, CitySummary, generate_city
from clients.city.__main__ import app
from tests.support.records import ARROW

AS_OF: Final = date(2026, 10, 31)
FIRMS: Final = 2000
CATALOGUE: Final = builtin_catalogue()
CODES: Final = tuple(category.code for category in CATALOGUE.categories)


class City:
    """A generated city on disk."""

    def __init__(self, folder: Path, enterprises: int, seed: int) -> None:
        self.records = folder / "records"
        self.truth_file = folder / "truth.parquet"
        self.summary: CitySummary = generate_city(enterprises, seed, AS_OF, self.records, truth=self.truth_file)

    def table(self, code: str) -> pa.Table:
        return pq.read_table(self.records / f"{code}.parquet")

    def frame(self, code: str, *columns: str) -> pd.DataFrame:
        return self.table(code).select(["uscc", *columns]).to_pandas()

    @property
    def truth(self) -> pd.DataFrame:
        return pd.read_parquet(self.truth_file).set_index("uscc")

    def digest(self, code: str) -> str:
        """SHA-256 over the content, whatever the row groups."""
        sink = pa.BufferOutputStream()
        table = self.table(code).combine_chunks()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return hashlib.sha256(sink.getvalue()).hexdigest()

    def digests(self) -> dict[str, str]:
        return {code: self.digest(code) for code in CODES}


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, int], City]:
    return lambda enterprises, seed: City(tmp_path_factory.mktemp("city"), enterprises, seed)


@pytest.fixture(scope="module")
def city(make: Callable[[int, int], City]) -> City:
    return make(FIRMS, 0)


@pytest.fixture(scope="module")
def town(make: Callable[[int, int], City]) -> City:
    return make(700, 0)


def _top_against_bottom(city: City, values: pd.Series) -> tuple[float, float]:
    """Mean over the fifth of the enterprises at the highest and at the lowest true risk; absent counts as 0."""
    truth = city.truth
    fifth = pd.qcut(truth["true_risk"], 5, labels=False)
    means = values.reindex(truth.index).fillna(0.0).astype(float).groupby(fifth).mean()
    return float(means[4]), float(means[0])


@pytest.mark.parametrize("code", CODES)
def test_every_file_has_exactly_the_columns_of_its_category(city: City, code: str) -> None:
    fields = (*CATALOGUE.common_fields, *CATALOGUE.category(code).fields)
    schema = pq.read_schema(city.records / f"{code}.parquet")
    assert [(f.name, f.type) for f in schema] == [(f.name, ARROW[f.type]) for f in fields]
    assert schema.metadata[b"xinyidai.synthetic"] == b"true"
    table = city.table(code)
    assert table.num_rows == city.summary.rows[code] > 0
    for field in fields:
        column = table[field.name]
        assert column.null_count < table.num_rows, field.name
        if field.values:
            assert set(pc.unique(column).to_pylist()) - {None} <= set(field.values)
        if field.type == "dec":
            assert not pc.any(pc.is_nan(column)).as_py()


def test_the_folder_holds_the_21_categories_and_nothing_else(city: City) -> None:
    assert sorted(p.name for p in city.records.iterdir()) == sorted(f"{code}.parquet" for code in CODES)
    assert len(CODES) == 21


def test_the_truth_never_lies_beside_the_records(tmp_path: Path) -> None:
    with pytest.raises(CityError, match="must not lie"):
        generate_city(10, 0, AS_OF, tmp_path / "r", truth=tmp_path / "r" / "deeper" / "truth.parquet")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("enterprises", "seed", "as_of", "months"),
    [(0, 0, AS_OF, 48), (10, -1, AS_OF, 48), (10, 0, date(2026, 10, 30), 48), (10, 0, AS_OF, 6)],
)
def test_arguments_out_of_range_are_refused(
    tmp_path: Path, enterprises: int, seed: int, as_of: date, months: int
) -> None:
    with pytest.raises(CityError):
        generate_city(enterprises, seed, as_of, tmp_path / "r", months)
    assert not (tmp_path / "r").exists()


def test_the_same_seed_gives_the_same_tables_and_another_seed_others(
    town: City, make: Callable[[int, int], City]
) -> None:
    again, other = make(700, 0), make(700, 1)
    assert again.digests() == town.digests()
    assert again.truth.equals(town.truth)
    assert not set(other.digests().values()) & set(town.digests().values())


def test_chunks_do_not_show_a_town_is_the_beginning_of_the_city(city: City, town: City) -> None:
    """Enterprises are drawn in blocks of 500: 700 of them end inside the second of the city's four blocks."""
    assert town.truth.equals(city.truth.iloc[:700])
    known = pa.array(town.truth.index)
    for code in CODES:
        table = city.table(code)
        assert table.filter(pc.is_in(table["uscc"], known)).equals(town.table(code)), code


def test_memory_stays_flat_because_each_block_is_a_row_group(city: City) -> None:
    for code in CODES:
        assert pq.ParquetFile(city.records / f"{code}.parquet").num_row_groups == FIRMS // 500


def test_codes_are_valid_but_for_a_few_legacy_ones(city: City) -> None:
    codes = city.truth.index
    assert codes.is_unique and len(codes) == FIRMS
    held = [check_character_holds(parse_uscc(code)) for code in codes]
    assert held.count(False) == 0.002 * FIRMS
    regions = {"320703", "320706", "320707", "320722", "320723", "320724"}
    assert {code[2:8] for code in codes} == regions
    assert {code[:2] for code in codes} == {"91", "92", "93"}
    registered = city.frame("enterprise_registration", "region_code")
    assert (registered["uscc"].str[2:8] == registered["region_code"]).all()
    assert set(registered["uscc"]) == set(codes)


def test_names_cannot_be_taken_for_real_ones(city: City) -> None:
    names = city.frame("enterprise_registration", "ent_name").drop_duplicates()
    assert names["ent_name"].is_unique
    assert names["ent_name"].map(lambda name: re.match("连云港..[零一二三四五六七八九]{6}", name) is not None).all()


@pytest.mark.parametrize("code", ["tax_payment", "social_insurance", "water_usage", "electricity_usage"])
def test_duplicates_corrections_late_months_gaps_and_absent_firms(city: City, code: str) -> None:
    frame = city.table(code).to_pandas()
    exact = frame.duplicated()
    assert 0.001 < exact.mean() < 0.01
    versions = frame[~exact].groupby("record_id")["recv_time"].nunique()
    assert 0.001 < (versions > 1).mean() < 0.01
    month_end = pd.to_datetime(frame["data_month"].astype(str), format="%Y%m") + pd.offsets.MonthEnd(1)
    assert ((frame["recv_time"] - month_end).dt.days > 100).any()
    after = frame["recv_time"] >= pd.Timestamp(AS_OF) + pd.Timedelta(days=1)
    assert 0.001 < after.mean() < 0.15
    months = frame.groupby("uscc")["data_month"].nunique()
    assert len(months) < FIRMS
    full = months.max()
    assert ((months < full) & (months >= full - 3)).sum() > 20


def test_a_correction_mends_an_amount_that_was_ten_times_too_large(city: City) -> None:
    frame = city.frame("electricity_usage", "record_id", "recv_time", "kwh").drop_duplicates().sort_values("recv_time")
    sent = frame.groupby("record_id")["kwh"].agg(["count", "first", "last"])
    twice = sent[sent["count"] == 2]
    assert len(twice) > 100
    assert np.allclose(twice["first"], 10 * twice["last"])


def test_negative_records_are_sometimes_repaired_and_old_ones_past_their_publicity(city: City) -> None:
    penalties = city.frame("administrative_penalty", "repaired", "cf_gsjzq", "cf_jdrq", "severity")
    assert 0.1 < penalties["repaired"].mean() < 0.3
    assert (penalties["cf_gsjzq"] < AS_OF).any() and (penalties["cf_gsjzq"] > AS_OF).any()
    assert (penalties["cf_jdrq"] <= AS_OF).all()
    assert set(penalties["severity"]) == {"minor", "general", "serious"}


def test_open_ends_are_written_in_both_ways(city: City) -> None:
    for code, column in (("enterprise_registration", "op_period_to"), ("administrative_permit", "xk_yxqzi")):
        years = city.frame(code, column)[column].map(lambda day: day.year)
        assert {2099, 9999} <= set(years)


def test_most_categories_concern_not_everybody(city: City) -> None:
    for code in ("gas_usage", "customs_trade", "environmental_credit", "agri_operator"):
        assert 0.03 * FIRMS < city.frame(code)["uscc"].nunique() < 0.4 * FIRMS


def test_nothing_is_known_before_it_happened(city: City) -> None:
    known_at = {
        "tax_payment": "paid_date",
        "social_insurance": "paid_date",
        "housing_fund": "paid_date",
        "water_usage": "pay_date",
        "electricity_usage": "pay_date",
        "administrative_penalty": "cf_jdrq",
        "judicial_enforcement": "closed_date",
        "abnormal_dishonesty_list": "out_date",
        "real_estate": "seizure_date",
        "annual_report": "filed_date",
    }
    for code, column in known_at.items():
        frame = city.frame(code, "recv_time", column).dropna()
        assert (pd.to_datetime(frame[column]) <= frame["recv_time"]).all(), code


def test_nobody_has_records_from_before_the_founding(city: City) -> None:
    founded = city.frame("enterprise_registration", "est_date").drop_duplicates("uscc").set_index("uscc")["est_date"]
    month = founded.map(lambda day: day.year * 100 + day.month)
    for code in ("tax_payment", "social_insurance", "electricity_usage", "administrative_penalty", "pledge_guarantee"):
        frame = city.frame(code, "data_month")
        assert (frame["data_month"] >= frame["uscc"].map(month)).all(), code


def test_the_default_rate_is_that_of_a_small_business_book(city: City) -> None:
    truth = city.truth
    assert 0.055 < truth["defaulted"].mean() < 0.085
    assert abs(truth["true_risk"].mean() - truth["defaulted"].mean()) < 0.015
    assert city.summary.defaulted == truth["defaulted"].sum()


def test_risk_shows_in_many_categories_and_decides_in_none(city: City) -> None:
    bills = city.frame("electricity_usage", "due_date", "pay_date")
    late = bills.assign(late=bills["pay_date"] > bills["due_date"]).groupby("uscc")["late"].sum()
    fees = city.frame("tax_payment", "late_fee").assign(late=lambda f: f["late_fee"] > 0).groupby("uscc")["late"].sum()
    cases = city.frame("judicial_enforcement", "role")
    signs: dict[str, Any] = {
        "late electricity bills": late,
        "late taxes": fees,
        "penalties": city.frame("administrative_penalty").groupby("uscc").size(),
        "enforcement": cases[cases["role"] == "executed"].groupby("uscc").size(),
        "listings": city.frame("abnormal_dishonesty_list").groupby("uscc").size(),
    }
    for name, values in signs.items():
        top, bottom = _top_against_bottom(city, values)
        assert top > 1.5 * bottom, name
    scores = city.frame("tax_credit", "score").groupby("uscc")["score"].mean()
    riskiest, safest = _top_against_bottom(city, scores)
    assert riskiest < safest - 5
    ranks = scores.corr(city.truth["true_risk"], method="spearman")
    assert -0.8 < ranks < -0.3


def test_the_command_says_that_the_city_is_synthetic_in_chinese_first(tmp_path: Path) -> None:
    place = ["--out", str(tmp_path / "r"), "--truth", str(tmp_path / "t.parquet")]
    done = CliRunner().invoke(app, ["--enterprises", "20", "--as-of", "2026-10-31", "--months", "24", *place])
    assert done.exit_code == 0
    assert done.output.startswith("合成城市(全部数据均为虚构) synthetic city, all data invented")
    assert len(pd.read_parquet(tmp_path / "t.parquet")) == 20
    refused = CliRunner().invoke(app, ["--as-of", "2026-10-30", *place])
    assert refused.exit_code == 2
    assert "参数有误 wrong argument" in refused.output
