"""Contents made to be read past their end, or to fill the memory: refused before anything of them is believed."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xinyidai.batches import BatchFormat
from xinyidai.reasons import Reason

from enclave.errors import Refused
from enclave.records.intake import wire
from enclave.records.intake.intake import take_batch
from enclave.records.schema import columns_of
from tests.support.ingest import Domain, as_text, packed, with_lines
from tests.support.records import record_table

CATEGORY = "tax_payment"
ROWS = 1000


@pytest.fixture
def domain(tmp_path: Path) -> Domain:
    return Domain.create(tmp_path / "d")


def rows_of(domain: Domain, count: int = ROWS) -> pa.Table:
    return with_lines(as_text(record_table(domain.catalogue, CATEGORY, [{}] * count)))


def with_column(table: pa.Table, name: str, array: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, array)


def streamed(table: pa.Table, pieces: int = 1, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for _ in range(pieces):
            writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read(domain: Domain, content: bytes, rows: int, form: BatchFormat = BatchFormat.ARROW) -> pa.Table:
    fields = columns_of(domain.catalogue, domain.catalogue.category(CATEGORY))
    return wire.read_content(pa.py_buffer(content), form, rows, fields)


def test_lines_that_lie_behind_the_end_of_the_content(domain: Domain) -> None:
    """A column of a thousand numbers with room for one: the others would be memory of the data domain, which the list
    of quarantined lines would then tell the department."""
    length = (8 * ROWS).to_bytes(8, "little")
    honest = streamed(rows_of(domain))
    assert honest.count(length) == 1, "the length of the buffer with the lines"
    hostile = honest.replace(length, (8).to_bytes(8, "little"))
    header, _ = packed(domain.catalogue, CATEGORY, rows_of(domain), "batch-0001", form=BatchFormat.ARROW)
    with pytest.raises(Refused) as caught:
        take_batch(domain.vault, domain.catalogue, header, pa.py_buffer(hostile))
    assert caught.value.reason is Reason.BATCH_CONTENT
    assert domain.vault.manifest().version == 0


@pytest.mark.parametrize("offset", [2**31 - 1, 2**30, -1, 100_000])
@pytest.mark.parametrize("pieces", [1, 2])
def test_text_that_ends_outside_of_the_content(domain: Domain, offset: int, pieces: int) -> None:
    """Pieces are put together before anything looks at a single text."""
    ids = pa.array(["x" * 61, *("y" for _ in range(ROWS - 1))])
    honest = streamed(with_column(rows_of(domain), "record_id", ids), pieces)
    last = (60 + ROWS).to_bytes(4, "little")
    ends = (59 + ROWS).to_bytes(4, "little") + last
    assert honest.count(ends) == pieces, "where the last text begins and ends"
    hostile = honest.replace(ends, ends[:4] + offset.to_bytes(4, "little", signed=True))
    with pytest.raises(wire.ContentError):
        read(domain, hostile, ROWS * pieces)


def test_a_text_that_the_file_holds_once_and_its_rows_a_thousand_times(domain: Domain) -> None:
    """A megabyte in 60 000 rows: a file of kilobytes, and 60 GB of memory for whoever writes every row out."""
    count = 60_000
    same = pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * 1_000_000]))
    table = with_column(rows_of(domain, count), "tax_type", same)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, store_schema=False, compression="zstd")
    content = sink.getvalue().to_pybytes()
    assert len(content) < 2_000_000
    with pytest.raises(wire.ContentError, match="split the file"):
        read(domain, content, count, BatchFormat.PARQUET)


def test_a_stream_that_unpacks_to_more_than_a_batch_may_have(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_UNPACKED_BYTES", 10_000_000)
    wide = with_column(rows_of(domain, 200), "tax_type", pa.array(["y" * 100_000] * 200))
    content = streamed(wide, compression="zstd")
    assert len(content) < 1_000_000
    with pytest.raises(wire.ContentError, match="split the file"):
        read(domain, content, 200)


def test_dictionaries_of_text_are_read_as_the_text_they_are(domain: Domain) -> None:
    table = rows_of(domain, 3)
    texts = pa.array(["vat", None, "vat"])
    header, content = packed(domain.catalogue, CATEGORY, with_column(table, "tax_type", texts), "batch-0001")
    found = read(domain, content, header.rows, BatchFormat.PARQUET)
    assert found.column("tax_type").to_pylist() == ["vat", None, "vat"]
    assert found.schema.field("tax_type").type == pa.string()
