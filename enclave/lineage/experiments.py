"""Which records make a difference to a feature.

The features' own code answers: it computes the feature of many copies of one enterprise at once, and each copy lacks or
changes something. A record made the value if one of these holds, where "its place" is its category or its month in it:

- without it the value is another;
- with one of its figures changed by a trifle the value is another;
- no record of its place is one by the above, without anything in the place the value is another, and it alone of the
  place gives the very same value; where of several such some would change the value by saying another word (a grade, a
  kind), these alone.

The last finds records that say the same as others, each of which would do. In the terms of Meliou, Gatterbauer, Moore
and Suciu (The Complexity of Causality and Responsibility for Query Answers, VLDB 2010) the first and the last are
actual causes, with nothing or the rest of the place as contingency. A record outside a feature's window, arrived after
`as_of` or shut out by a rule is never listed, since the code does not look at it. Not guaranteed: that a record is
listed which matters only with other contingencies than these; to find every one is NP-hard.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, Feature

from enclave.features.coding import ValueStatus
from enclave.features.registry import plan
from enclave.features.tables import Tables
from enclave.features.windows import Clock
from enclave.records.reader import Records
from enclave.records.schema import read_types

_DECIMALS: Final = 9
_RELATIVE: Final = 1e-3
_ABSOLUTE: Final = 0.01
_CHUNK_ROWS: Final = 1_000_000
"""Rows of all copies computed at once: what bounds the memory."""
MAX_RECORDS: Final = 1_000
"""Records of one enterprise in one category: the work grows with their square."""


class TooManyRecords(ValueError):
    def __init__(self) -> None:
        super().__init__(f"the lineage of more than {MAX_RECORDS} records in a category is not worked out online")


@dataclass(frozen=True, slots=True)
class Said:
    """What the code says of one copy."""

    value: float
    """NaN unless `status` is a value."""
    status: ValueStatus

    def same(self, other: "Said") -> bool:
        return self.status == other.status and (self.value == other.value or self.status is not ValueStatus.VALUE)


@dataclass(frozen=True, slots=True, eq=False)
class Copy:
    """One experiment on the rows of a category: which rows the copy has, and what is changed."""

    keep: NDArray[np.int64]
    """Row numbers, rising."""
    changed: tuple[str, int] | None = None
    """(column, row number)."""


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    said: Said
    contributing: Mapping[str, NDArray[np.bool_]]
    """Category code to one flag a row."""


def attribute(catalogue: Catalogue, feature: Feature, rows: Mapping[str, pa.Table], as_of: date) -> Attribution:
    """`rows`: usable rows of one enterprise by category, deduplicated, for every source of the feature that is held
    (without rows where the enterprise has none).

    Raises `TooManyRecords`, and `ValueError` unless `as_of` ends a month."""
    if any(rows[code].num_rows > MAX_RECORDS for code in feature.sources if code in rows):
        raise TooManyRecords
    bench = _Bench(catalogue, feature, rows, Clock.at(as_of, catalogue))
    everything = Copy(np.arange(rows[feature.category].num_rows)) if feature.category in rows else None
    if everything is None:
        return Attribution(Said(float("nan"), ValueStatus.MISSING), {})
    (said,) = bench.run(feature.category, [everything])
    found = {code: _contributing(bench, code, said) for code in feature.sources if code in rows}
    return Attribution(said, found)


def _contributing(bench: "_Bench", category: str, said: Said) -> NDArray[np.bool_]:
    table = bench.rows[category]
    count = table.num_rows
    found = np.zeros(count, np.bool_)
    if not count:
        return found
    every = np.arange(count)
    places = (np.asarray(table["data_month"].fill_null(0)), np.zeros(count, np.int64))
    absent = [Copy(np.delete(every, row)) for row in every]
    changes = [Copy(every, (name, int(row))) for name in bench.figures(category) for row in _stated(table, name)]
    words = [Copy(every, (name, int(row))) for name in bench.words(category) for row in _stated(table, name)]
    soles = [_sole_copies(place) for place in places]
    ways = [copy for pair in soles for part in pair for copy in part]
    # All in one run: an expression costs more to compile than to compute.
    results = iter(bench.run(category, [*absent, *changes, *words, *ways]))
    for row in (*every, *_rows_changed(changes)):
        found[row] |= not next(results).same(said)
    telling = np.zeros(count, np.bool_)
    for row in _rows_changed(words):
        telling[row] |= not next(results).same(said)
    for place, (empty, alone) in zip(places, soles, strict=True):
        without, only = [next(results) for _ in empty], [next(results) for _ in alone]
        would_do = np.array([result.same(said) for result in only])
        for one, nothing in zip(np.unique(place), without, strict=True):
            there = place == one
            # Where a place matters and no record in it does by itself, several say the same.
            if not nothing.same(said) and not found[there].any():
                able = there & would_do
                found |= able & telling if (able & telling).any() else able
    return found


def _rows_changed(copies: Sequence[Copy]) -> list[int]:
    return [copy.changed[1] for copy in copies if copy.changed]


def _sole_copies(place: NDArray[Any]) -> tuple[list[Copy], list[Copy]]:
    """For each distinct place the rows outside it, and for each row these rows and itself."""
    outside = {one: np.flatnonzero(place != one) for one in np.unique(place)}
    alone = [Copy(np.sort(np.append(outside[one], row))) for row, one in enumerate(place)]
    return [Copy(keep) for keep in outside.values()], alone


def _stated(table: pa.Table, name: str) -> NDArray[np.int64]:
    stated: NDArray[np.int64] = np.flatnonzero(table[name].is_valid().to_numpy(zero_copy_only=False))
    return stated


@dataclass(frozen=True, slots=True, eq=False)
class _Bench:
    """Runs copies of one enterprise through the features' code."""

    catalogue: Catalogue
    feature: Feature
    rows: Mapping[str, pa.Table]
    clock: Clock

    def figures(self, category: str) -> list[str]:
        """Columns a trifle is added to: numbers, but not years, which say when and not how much."""
        fields = self.catalogue.category(category).fields
        return [field.name for field in fields if field.type in ("int", "dec") and field.unit != "year"]

    def words(self, category: str) -> list[str]:
        """Columns that hold one of a few words."""
        return [field.name for field in self.catalogue.category(category).fields if field.type == "enum"]

    def run(self, category: str, copies: Sequence[Copy]) -> list[Said]:
        """What the feature is for each copy, in order; every other category is as it is."""
        said: list[Said] = []
        for part in self._parts(category, copies):
            said += self._run(category, part)
        return said

    def _parts(self, category: str, copies: Sequence[Copy]) -> Iterator[Sequence[Copy]]:
        others = sum(self.rows[code].num_rows for code in self._sources if code != category)
        each = 1 + others + self.rows[category].num_rows
        step = max(1, _CHUNK_ROWS // each)
        for at in range(0, len(copies), step):
            yield copies[at : at + step]

    @property
    def _sources(self) -> list[str]:
        return [code for code in self.feature.sources if code in self.rows]

    def _run(self, category: str, copies: Sequence[Copy]) -> list[Said]:
        backend = ibis.duckdb.connect(":memory:", threads=1, temp_directory="")
        try:
            names = np.array([f"{number:018d}" for number in range(len(copies))])
            tables = {code: self._copied(code, category, copies, names) for code in self._sources}
            made = {code: self._typed(backend, code, table) for code, table in tables.items()}
            everyone = backend.create_table("everyone", ibis.memtable(pa.table({"uscc": names})))
            return self._read(Tables(self.catalogue, Records(made, (), everyone)), names)
        finally:
            backend.disconnect()

    def _copied(self, code: str, category: str, copies: Sequence[Copy], names: NDArray[np.str_]) -> pa.Table:
        """The rows of every copy in one table, each copy under a name of its own."""
        own = self.rows[code]
        keeps = [copy.keep if code == category else np.arange(own.num_rows) for copy in copies]
        table = own.take(pa.array(np.concatenate(keeps)))
        owners = pa.array(np.repeat(names, [keep.size for keep in keeps]))
        table = table.set_column(table.schema.get_field_index("uscc"), "uscc", owners)
        if code != category:
            return table
        starts = np.concatenate([[0], np.cumsum([keep.size for keep in keeps])[:-1]])
        places: dict[str, list[int]] = {}
        for copy, start in zip(copies, starts, strict=True):
            if copy.changed is not None:
                name, row = copy.changed
                places.setdefault(name, []).append(int(start) + row)
        lists = {field.name: field.values for field in self.catalogue.category(code).fields}
        for name, at in places.items():
            table = _reworded(table, name, at, lists[name]) if lists[name] else _nudged(table, name, at)
        return table

    def _typed(self, backend: ibis.BaseBackend, code: str, table: pa.Table) -> ibis.Table:
        kept = table.select(list(read_types(self.catalogue, self.catalogue.category(code))))
        raw = backend.create_table(f"copies_{code}", ibis.memtable(kept))
        return raw.cast(read_types(self.catalogue, self.catalogue.category(code)))

    def _read(self, tables: Tables, names: NDArray[np.str_]) -> list[Said]:
        (found,) = (one for one in plan(self.catalogue) if one.category.code == self.feature.category)
        code = self.feature.code
        for expression in found.tables(tables, self.clock):
            if code in expression.columns:
                columns = [name for name in ("uscc", code, f"{code}__na") if name in expression.columns]
                return _said(expression.select(*columns).to_pyarrow(), code, names)
        raise LookupError(f"no expression computes {code}")


def _nudged(table: pa.Table, name: str, at: list[int]) -> pa.Table:
    place = table.schema.get_field_index(name)
    column = table[name]
    if pa.types.is_integer(column.type):
        step = np.zeros(table.num_rows, np.int64)
        step[at] = 1
        changed = pc.add(column, pa.array(step))
    else:
        values = column.cast(pa.float64())
        step = np.zeros(table.num_rows)
        step[at] = _ABSOLUTE + _RELATIVE * np.abs(values.take(pa.array(at)).to_numpy(zero_copy_only=False))
        changed = pc.add(values, pa.array(step))
    return table.set_column(place, name, changed)


def _reworded(table: pa.Table, name: str, at: list[int], values: Sequence[str]) -> pa.Table:
    """With the next word of the list in some rows."""
    words = table[name].to_pylist()
    for row in at:
        words[row] = values[(values.index(words[row]) + 1) % len(values)]
    return table.set_column(table.schema.get_field_index(name), name, pa.array(words, pa.string()))


def _said(table: pa.Table, code: str, names: NDArray[np.str_]) -> list[Said]:
    """As the snapshot's own reading of an expression has it: rounded, not-applicable before missing."""
    values = np.round(table[code].cast(pa.float64()).to_numpy().astype(np.float64), _DECIMALS)
    status = np.where(np.isfinite(values), int(ValueStatus.VALUE), int(ValueStatus.MISSING))
    if f"{code}__na" in table.column_names:
        excluded = table[f"{code}__na"].fill_null(False).to_numpy().astype(np.bool_)
        status[excluded] = int(ValueStatus.NOT_APPLICABLE)
    found = {
        name: Said(float(value) if kind == ValueStatus.VALUE else float("nan"), ValueStatus(int(kind)))
        for name, value, kind in zip(table["uscc"].to_pylist(), values, status, strict=True)
    }
    return [found[str(name)] for name in names]
