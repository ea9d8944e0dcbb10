"""Spark and DuckDB run the same expressions and come to the same cells."""

import os
from datetime import date
from pathlib import Path
from random import Random

import ibis
import numpy as np
import pytest
from xinyidai.catalogue import builtin_catalogue

from clients.city import generate_city
from enclave.features.coding import code_values
from enclave.features.values import FeatureValues, feature_values
from enclave.records.engine import EngineExhausted, engine_of
from enclave.records.reader import embedded_backend
from tests.support.random_records import draw_records
from tests.support.records import write_records
from tests.support.spark import INTERPRETED, local_spark

AS_OF = date(2026, 10, 31)
FEW = ("annual_report", "tax_credit", "social_insurance")
"""Sums, averages, windows of rows, shares and dates; the long campaign runs all 21."""
long = pytest.mark.skipif(os.environ.get("XYD_CAMPAIGN") != "long", reason="minutes: XYD_CAMPAIGN=long")

# PySpark's remarks about the other packages it finds are none of ours.
pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")


def both(folder: Path, scratch: Path, **settings: str) -> tuple[FeatureValues, FeatureValues]:
    embedded = feature_values(folder, builtin_catalogue(), AS_OF)
    with local_spark(scratch, **settings) as backend:
        return embedded, feature_values(folder, builtin_catalogue(), AS_OF, backend=backend)


def assert_identical(one: FeatureValues, other: FeatureValues) -> None:
    catalogue = builtin_catalogue()
    assert one.counts == other.counts
    assert np.array_equal(one.enterprises, other.enterprises)
    cells = [code_values(catalogue, found.values, found.status) for found in (one, other)]
    differ = (cells[0] != cells[1]).any(axis=0)
    assert not differ.any(), [
        feature.code for feature, is_other in zip(catalogue.features, differ, strict=True) if is_other
    ]


def test_both_engines_agree_on_records_drawn_at_random(tmp_path: Path) -> None:
    records = draw_records(Random(20261031), FEW, AS_OF, firms=60)
    folder = write_records(tmp_path / "records", builtin_catalogue(), **records)
    assert_identical(*both(folder, tmp_path, **INTERPRETED))


@long
def test_both_engines_agree_on_every_category_drawn_at_random(tmp_path: Path) -> None:
    codes = tuple(category.code for category in builtin_catalogue().categories)
    folder = write_records(
        tmp_path / "records", builtin_catalogue(), **draw_records(Random(1), codes, AS_OF, firms=300)
    )
    assert_identical(*both(folder, tmp_path, **INTERPRETED))


@long
def test_both_engines_agree_on_a_city_of_5000(tmp_path: Path) -> None:
    generate_city(5_000, 3, AS_OF, tmp_path / "records")
    assert_identical(*both(tmp_path / "records", tmp_path))


@long
def test_a_spark_that_writes_in_the_clear_is_refused(tmp_path: Path) -> None:
    with local_spark(tmp_path, **{"spark.io.encryption.enabled": "false"}) as backend:
        with pytest.raises(ValueError, match=r"spark\.io\.encryption\.enabled"):
            engine_of(backend)


def test_the_embedded_engine_spills_nothing(tmp_path: Path) -> None:
    backend = embedded_backend(tmp_path)
    assert isinstance(backend, ibis.BaseBackend)
    ((where,),) = backend.raw_sql("SELECT current_setting('temp_directory')").fetchall()
    assert where == ""


def test_too_little_memory_is_said_so_and_blamed_on_no_file() -> None:
    backend = ibis.duckdb.connect(":memory:", memory_limit="20MB", temp_directory="")
    numbers = ibis.range(3_000_000).unnest().name("n").as_table()
    with pytest.raises(EngineExhausted):
        engine_of(backend).keep("all", numbers.order_by(numbers.n.desc()))
    backend.disconnect()
