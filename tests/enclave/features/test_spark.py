"""Spark and DuckDB run the same expressions and come to the same cells."""

import os
from datetime import date
from pathlib import Path
from random import Random

import ibis
import numpy as np
import pyarrow as pa
import pytest
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_department_id, parse_enclave_id

from clients.city import generate_city
from clients.uploader import pack_file
from enclave.features.coding import code_values
from enclave.features.values import FeatureValues, feature_values
from enclave.records.engine import EngineExhausted, engine_of
from enclave.records.intake.intake import take_batch
from enclave.records.reader import Source, embedded_backend
from enclave.records.vault import VaultSnapshot
from tests.support.ingest import Domain
from tests.support.random_records import draw_records
from tests.support.records import write_records
from tests.support.spark import INTERPRETED, local_spark

AS_OF = date(2026, 10, 31)
ENCLAVES = [parse_enclave_id("lianyungang-1")]
ON_FILES, IN_VAULT = ("tax_credit", "social_insurance"), "annual_report"
"""Sums, averages, windows of rows, shares and dates; the long campaign runs all 21."""
long = pytest.mark.skipif(os.environ.get("XYD_CAMPAIGN") != "long", reason="minutes: XYD_CAMPAIGN=long")

# PySpark's remarks about the other packages it finds are none of ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    # Nor is the socket it leaves open after handing over a table.
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]


def compared(scratch: Path, *sources: Source, **settings: str) -> int:
    """Values of each source on both engines, which must be identical; returns how many cells were compared."""
    cells = 0
    for number, source in enumerate(sources):
        (own := scratch / f"spark-{number}").mkdir()
        # A Java for each: what one keeps of a city leaves little room for another.
        with local_spark(own, **settings) as backend:
            found = feature_values(source, builtin_catalogue(), AS_OF, backend=backend)
        cells += assert_identical(feature_values(source, builtin_catalogue(), AS_OF), found)
    return cells


def assert_identical(one: FeatureValues, other: FeatureValues) -> int:
    """Cell for cell; returns how many cells were compared."""
    catalogue = builtin_catalogue()
    assert one.counts == other.counts
    assert np.array_equal(one.enterprises, other.enterprises)
    cells = [code_values(catalogue, found.values, found.status) for found in (one, other)]
    differ = (cells[0] != cells[1]).any(axis=0)
    assert not differ.any(), [
        feature.code for feature, is_other in zip(catalogue.features, differ, strict=True) if is_other
    ]
    return int(cells[0].size)


def in_vault(folder: Path, root: Path) -> VaultSnapshot:
    """Files of records, delivered as departments deliver them. The city's mess (wrong codes) stays outside."""
    domain = Domain.create(root)
    for path in sorted(folder.glob("*.parquet")):
        for packed in pack_file(path, path.stem, domain.catalogue, parse_department_id("swj"), ENCLAVES):
            take_batch(domain.vault, domain.catalogue, packed.header, pa.py_buffer(packed.content))
    return domain.vault.snapshot()


def test_both_engines_agree_on_files_and_on_the_vault_and_spark_leaves_nothing_readable(tmp_path: Path) -> None:
    """Of the vault Spark is handed what pyarrow decrypted; the keys stay where they are."""
    files = write_records(
        tmp_path / "records", builtin_catalogue(), **draw_records(Random(20261031), ON_FILES, AS_OF, firms=60)
    )
    planted = "PLANTED-FOR-SPARK-5521"
    rows = draw_records(Random(7), (IN_VAULT,), AS_OF, firms=30)[IN_VAULT]
    named = [{**row, "data_month": 202601, "record_id": f"{planted}-{row['record_id']}"} for row in rows]
    snapshot = in_vault(
        write_records(tmp_path / "plain", builtin_catalogue(), **{IN_VAULT: named}), tmp_path / "domain"
    )
    taken = snapshot.table(IN_VAULT, columns=["record_id"])
    assert taken is not None and planted in taken.column(0)[0].as_py()
    (scratch := tmp_path / "scratch").mkdir()
    assert compared(scratch, files, snapshot, **INTERPRETED)
    written = [path for path in scratch.rglob("*") if path.is_file()]
    assert written and not any(planted.encode() in path.read_bytes() for path in written)


@long
def test_both_engines_agree_on_every_category_drawn_at_random(tmp_path: Path) -> None:
    codes = tuple(category.code for category in builtin_catalogue().categories)
    folder = write_records(
        tmp_path / "records", builtin_catalogue(), **draw_records(Random(1), codes, AS_OF, firms=300)
    )
    assert compared(tmp_path, folder, **INTERPRETED)


@long
def test_both_engines_agree_on_a_city_of_5000(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From its files, mess and all, and from the vault after the departments delivered it."""
    features = len(builtin_catalogue().features)
    generate_city(5_000, 3, AS_OF, tmp_path / "records")
    snapshot = in_vault(tmp_path / "records", tmp_path / "domain")
    assert len(snapshot.categories) == 21
    cells = compared(tmp_path, tmp_path / "records", snapshot)
    assert cells >= 2 * 4_900 * features
    with capsys.disabled():
        print(f"\nSpark and DuckDB on {features} features: {cells:,} cells compared, 0 differ")


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


def test_too_little_memory_is_said_so_and_nothing_goes_to_a_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB's own choice would be a folder where the process stands."""
    monkeypatch.chdir(tmp_path)
    backend = ibis.duckdb.connect(":memory:", memory_limit="20MB", temp_directory="")
    numbers = ibis.range(3_000_000).unnest().name("n").as_table()
    with pytest.raises(EngineExhausted):
        engine_of(backend).keep("all", numbers.order_by(numbers.n.desc()))
    backend.disconnect()
    assert list(tmp_path.iterdir()) == []
