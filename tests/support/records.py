"""Small folders of records, written as the departments deliver them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.catalogue import Catalogue, Field
from xinyidai.identifiers import uscc_check_character

from enclave.features.coding import ValueStatus
from enclave.features.values import feature_values

ARROW: Final = {
    "str": pa.string(),
    "enum": pa.string(),
    "int": pa.int64(),
    "yyyymm": pa.int64(),
    "dec": pa.float64(),
    "date": pa.date32(),
    "datetime": pa.timestamp("us"),
    "bool": pa.bool_(),
}
"""Written out, not taken from the contract: what departments deliver is to stay what it is."""
Row = Mapping[str, Any]
Told = dict[str, float | str]
"""Feature code to value, or to one of two words for none."""
MISSING, NA = "missing", "not applicable"


def uscc(number: int) -> str:
    """A company of the city, with a true check character."""
    first17 = f"91320700MA1{number:06d}"
    return first17 + uscc_check_character(first17)


def months(first: int, last: int) -> Iterator[int]:
    """Every yyyymm from one to another, both included."""
    ym = first
    while ym <= last:
        yield ym
        ym += 89 if ym % 100 == 12 else 1


def _value(field: Field, value: Any) -> Any:
    if isinstance(value, str) and field.type == "date":
        return date.fromisoformat(value)
    if isinstance(value, str) and field.type == "datetime":
        return datetime.fromisoformat(value)
    return value


def record_table(catalogue: Catalogue, category: str, rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table. What a row leaves out is empty, but for the common fields: firm 1, an id of its own,
    received in January 2026."""
    fields = (*catalogue.common_fields, *catalogue.category(category).fields)
    known = {field.name for field in fields}
    columns: dict[str, list[Any]] = {field.name: [] for field in fields}
    for number, row in enumerate(rows):
        assert set(row) <= known, set(row) - known
        common = {"uscc": uscc(1), "source_dept": "d", "record_id": f"r{number:06d}", "recv_time": "2026-01-15"}
        for field in fields:
            columns[field.name].append(_value(field, {**common, **row}.get(field.name)))
    return pa.table({field.name: pa.array(columns[field.name], ARROW[field.type]) for field in fields})


def write_records(folder: Path, catalogue: Catalogue, **tables: Sequence[Row]) -> Path:
    """One Parquet file a category; returns the folder."""
    folder.mkdir(exist_ok=True)
    for category, rows in tables.items():
        pq.write_table(record_table(catalogue, category, rows), folder / f"{category}.parquet")
    return folder


def told(folder: Path, catalogue: Catalogue, as_of: date) -> dict[str, Told]:
    """What the features say of each enterprise, by USCC."""
    found = feature_values(folder, catalogue, as_of)
    words = {ValueStatus.MISSING: MISSING, ValueStatus.NOT_APPLICABLE: NA}
    return {
        code.decode(): {
            feature.code: words.get(ValueStatus(status[at]), float(values[at]))
            for at, feature in enumerate(catalogue.features)
        }
        for code, values, status in zip(found.enterprises, found.values, found.status, strict=True)
    }
