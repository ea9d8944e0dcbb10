"""Files of which one row in a hundred is wrong, each in another way, from the department's program to the vault of the
running data domain: every wrong row is set aside with its line and the right reason, all the others are taken."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from xinyidai.batches import LINE_COLUMN, RowFault
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_enclave_id

from clients.dev.deployment import ENCLAVE_ID
from clients.uploader import BatchOutcome, pack_file
from tests.support.departments import RunningDomain
from tests.support.faulty import (
    CATEGORY,
    CSV_LINES,
    JSON_LINES,
    TEXT_KINDS,
    TYPED_KINDS,
    FaultyFile,
    csv_file,
    json_file,
    text_parquet_file,
    typed_parquet_file,
)

DEPARTMENT = "gdgs"
ENCLAVES = [parse_enclave_id(ENCLAVE_ID)]


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDomain]:
    made = RunningDomain(tmp_path_factory.mktemp("faulty") / "d")
    yield made
    made.close()


def test_each_format_has_twenty_kinds_and_every_reason_of_a_row_is_met() -> None:
    text = [fault for *_, fault in TEXT_KINDS]
    assert len(TYPED_KINDS) >= 20 and len(TEXT_KINDS) >= 20
    met = {*text, *(fault for *_, fault in CSV_LINES), *(fault for *_, fault in JSON_LINES)}
    # This category has no two dates of which one comes first; tests/enclave/records/test_faults.py has.
    assert met == set(RowFault) - {RowFault.DATE_ORDER}


@pytest.mark.parametrize("make", [csv_file, json_file, text_parquet_file, typed_parquet_file])
def test_one_row_in_a_hundred_is_wrong(
    domain: RunningDomain, tmp_path: Path, make: Callable[[Path], FaultyFile]
) -> None:
    file = make(tmp_path)
    wrong = len(file.expected)
    assert wrong * 100 == file.rows

    outcome, quarantined = deliver(domain, file.path)

    told = {line: RowFault(fault) for line, fault, _ in quarantined}
    expected = {line: fault for line, (_, _, fault) in file.expected.items()}
    differ = [line for line in sorted(told.keys() | expected) if told.get(line) != expected.get(line)]
    assert [(line, file.expected.get(line), told.get(line)) for line in differ] == []
    assert all(column in ("", file.expected[line][1]) for line, _, column in quarantined)
    assert (outcome.rows, outcome.taken, outcome.quarantined) == (file.rows, file.rows - wrong, wrong)
    assert (outcome.duplicated, outcome.waiting) == (0, 0)
    first = 2 if file.path.suffix == ".csv" else 1
    assert stored_lines(domain, outcome) == sorted(set(range(first, first + file.rows)) - file.expected.keys())


def deliver(domain: RunningDomain, path: Path) -> tuple[BatchOutcome, list[tuple[int, str, str]]]:
    """The report of a file of one batch, and every row set aside."""
    (packed,) = pack_file(path, CATEGORY, builtin_catalogue(), domain.credentials(DEPARTMENT).department, ENCLAVES)
    with domain.uploader(DEPARTMENT) as uploader:
        outcome = uploader.deliver(packed)
        return outcome, list(uploader.quarantined(outcome.batch))


def stored_lines(domain: RunningDomain, outcome: BatchOutcome) -> list[int]:
    """Lines of a batch that features are computed from."""
    vault = domain.vault()
    batch = vault.manifest().batch(DEPARTMENT, outcome.batch)
    table = vault.snapshot().table(CATEGORY)
    assert batch is not None and table is not None
    own: pa.Table = table.filter(pc.equal(table.column("_batch"), batch.sequence))
    return sorted(own.column(LINE_COLUMN).to_pylist())
