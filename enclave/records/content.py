"""Values no record may hold, counted in one pass over a file."""

from typing import Final

import ibis
from xinyidai.catalogue import Field

from enclave.records.engine import Engine
from enclave.records.errors import RecordsError

_LARGEST: Final = 1e12
"""Exclusive bound of a number's absolute value: what decimal(18, 6) holds."""
_NEEDED: Final = ("record_id", "recv_time")
"""Without these a row can neither be told from its own corrections nor be placed before or after `as_of`."""


def _faults(table: ibis.Table, field: Field) -> tuple[ibis.Value, str] | None:
    column = table[field.name]
    if field.name in _NEEDED:
        return column.isnull(), "has rows without a value; every record needs one"
    if field.type == "enum":
        listed = ", ".join(field.values)
        return column.notnull() & ~column.isin(field.values), f"holds a value outside its list ({listed}); map it"
    if field.type == "yyyymm":
        valid = column.between(100001, 999912) & (column % 100).between(1, 12)
        return column.notnull() & ~valid, "holds a number that is no month; write year and month, such as 202610"
    if field.type == "dec":
        # Written so that NaN, which compares in its own way in each engine, is refused by all of them.
        number = column.cast("float64")
        fits = ~number.isnan() & (number > -_LARGEST) & (number < _LARGEST)
        return column.notnull() & ~fits, "holds a number that is not finite, or 1e12 or more; leave it empty instead"
    return None


def check_content(file: str, table: ibis.Table, fields: tuple[Field, ...], engine: Engine) -> int:
    """Number of rows. Raises `RecordsError` naming the first faulty column, never a value."""
    faults = {field.name: found for field in fields if (found := _faults(table, field)) is not None}
    counted = table.agg(
        rows=table.count(), **{f"bad_{name}": condition.cast("int64").sum() for name, (condition, _) in faults.items()}
    )
    (row,) = engine.fetch(counted).to_pylist()
    for name, (_, message) in faults.items():
        if row[f"bad_{name}"]:
            raise RecordsError(file, message, column=name)
    return int(row["rows"])
