"""The columns a file of records must have, and the Arrow types each field type may come in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import types
from xinyidai.catalogue import Catalogue, Category, Field

from enclave.records.errors import RecordsError

DECIMAL_TYPE: Final = "decimal(18, 6)"
"""What `dec` is read as. Sums of decimals are exact and do not depend on the order of the rows, so that a value on an
edge of the grid falls into the same cell on every machine; six places are those of the penalty standard."""


def _is_text(kind: Any) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _is_naive_time(kind: Any) -> bool:
    return bool(types.is_timestamp(kind)) and kind.tz is None


def _is_number(kind: Any) -> bool:
    return bool(types.is_float64(kind) or types.is_int64(kind) or types.is_decimal(kind))


_ACCEPTED: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "str": (_is_text, "string"),
    "enum": (_is_text, "string"),
    "int": (types.is_int64, "int64"),
    "yyyymm": (types.is_int64, "int64, such as 202610"),
    "dec": (_is_number, "double (or int64, or decimal)"),
    "date": (types.is_date32, "date32"),
    "datetime": (_is_naive_time, "timestamp without a time zone, in UTC"),
    "bool": (types.is_boolean, "bool"),
}
_READ_AS: Final = {
    "str": "string",
    "enum": "string",
    "int": "int64",
    "yyyymm": "int64",
    "dec": DECIMAL_TYPE,
    "date": "date",
    "datetime": "timestamp(6)",
    "bool": "boolean",
}


def columns_of(catalogue: Catalogue, category: Category) -> tuple[Field, ...]:
    """Every column of a category's file: the fields common to all, then its own."""
    return (*catalogue.common_fields, *category.fields)


def read_types(catalogue: Catalogue, category: Category) -> dict[str, str]:
    """Column name to the type the features are computed on."""
    return {field.name: _READ_AS[field.type] for field in columns_of(catalogue, category)}


def check_schema(path: Path, fields: tuple[Field, ...]) -> None:
    """Compare a file's columns with the catalogue's, reading the footer alone. Raises `RecordsError`."""
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException):
        raise RecordsError(path.name, "cannot be read as Parquet; export the file again") from None
    names = list(schema.names)
    expected = {field.name: field for field in fields}
    for name in expected:
        if names.count(name) != 1:
            wrong = "is missing" if name not in names else "occurs twice"
            raise RecordsError(path.name, f"{wrong}; the catalogue asks for it once", column=name)
    for name in names:
        if name not in expected:
            raise RecordsError(path.name, "is not in the catalogue; leave it out", column=name)
        accepts, wanted = _ACCEPTED[expected[name].type]
        if not accepts(schema.field(name).type):
            raise RecordsError(path.name, f"has another type than {wanted}; export it so", column=name)
