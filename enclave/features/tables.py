"""What a feature module reads, and the few shapes its expressions take."""

from dataclasses import dataclass

import ibis
from xinyidai.catalogue import Catalogue

from enclave.features.windows import Window
from enclave.records.reader import Records
from enclave.records.schema import read_types


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The usable records of every category, and everyone they are about."""

    catalogue: Catalogue
    records: Records

    @property
    def enterprises(self) -> ibis.Table:
        return self.records.enterprises

    def held(self, category: str) -> bool:
        return category in self.records.tables

    def of(self, category: str) -> ibis.Table:
        """Records of a category; without rows when nobody's are held. Raises `UnknownCategory`."""
        if self.held(category):
            return self.records.tables[category]
        columns = read_types(self.catalogue, self.catalogue.category(category))
        return self.enterprises.select(**{name: ibis.null(kind) for name, kind in columns.items()}).limit(0)

    def attests(self, category: str) -> bool:
        """Whether no row of an enterprise means that there was no hit."""
        found = self.catalogue.category(category)
        return self.held(category) and found.hits_only and found.attests_coverage

    def if_attested(self, category: str, column: ibis.Value, value: float) -> ibis.Value:
        """A column over hits, with `value` for no hit where the holder attests coverage and NULL where not."""
        return column.fill_null(value) if self.attests(category) else column


def per_enterprise(tables: Tables, *parts: ibis.Table) -> ibis.Table:
    """Everyone, with the columns of every part (one row an enterprise, with `uscc`) or NULL."""
    wide = tables.enterprises
    for part in parts:
        wide = wide.left_join(part, "uscc").drop("uscc_right")
    return wide


def total(column: ibis.Value) -> ibis.Value:
    """Exact sum as a float; NULL over no value."""
    return column.sum().cast("float64")


def total_if(condition: ibis.Value, column: ibis.Value) -> ibis.Value:
    """Exact sum over the rows that meet a condition; NULL if none does."""
    return ibis.cases((condition, column)).sum().cast("float64")


def count_hits(condition: ibis.Value) -> ibis.Value:
    """Number of rows that meet a condition; NULL, never 0, if none does: only an attested table can say 0."""
    return ibis.cases((condition, 1)).sum().cast("float64")


def count_if(condition: ibis.Value) -> ibis.Value:
    """Number of rows that meet a condition; 0 if none of the enterprise's rows does."""
    return condition.fill_null(False).cast("int64").sum().cast("float64")


def flag(condition: ibis.Value) -> ibis.Value:
    """1.0 or 0.0: whether any row meets a condition."""
    return condition.fill_null(False).cast("int64").max().cast("float64")


def ratio(part: ibis.Value, base: ibis.Value) -> ibis.Value:
    """part / base over floats; NULL unless the base is above 0."""
    return part / ibis.cases((base > 0, base))


def no_base(base: ibis.Value) -> ibis.Value:
    """Whether a ratio's base is known and not above 0, so that the ratio is not applicable."""
    return (base <= 0).fill_null(False)


def levels(column: ibis.Value, names: tuple[str, ...]) -> ibis.Value:
    """0.0, 1.0, ... for the names in order, worst first; NULL for none of them."""
    return ibis.cases(*((column == name, float(level)) for level, name in enumerate(names)))


def latest(table: ibis.Table, keys: tuple[str, ...], *order: str) -> ibis.Table:
    """The last row of each group by `order`, then by when it was received; `record_id` breaks ties."""
    by = [table[name].desc(nulls_first=False) for name in (*order, "recv_time", "record_id")]
    ranked = table.mutate(place_in_group=ibis.row_number().over(group_by=list(keys), order_by=by))
    return ranked.filter(ranked.place_in_group == 0).drop("place_in_group")


def by_month(table: ibis.Table, month: ibis.Value, **sums: ibis.Value) -> ibis.Table:
    """One row an enterprise and month, with `month` as a month number and the given aggregates."""
    dated = table.mutate(month=month)
    return dated.filter(dated.month.notnull()).group_by("uscc", "month").agg(**sums)


def unbroken(months: ibis.Table, last: int) -> ibis.Table:
    """(uscc, run): how many of the given months, one row each, follow one another back from `last`."""
    seen = months.filter(months.month <= last).select("uscc", "month")
    place = ibis.row_number().over(group_by=seen.uscc, order_by=seen.month.desc())
    ranked = seen.mutate(place=place)
    return ranked.group_by("uscc").agg(run=count_if(ranked.month == last - ranked.place))


def yearly_sums(table: ibis.Table, column: str, now: Window, before: Window, full: int) -> ibis.Table:
    """(uscc, now, before) from one row an enterprise and month: sums of two windows, `before` only when at least
    `full` of its months are there."""
    value, month = table[column], table.month
    in_now, in_before = month.between(now.first, now.last), month.between(before.first, before.last)
    sums = table.group_by("uscc").agg(
        now=total_if(in_now, value), before=total_if(in_before, value), months_before=count_if(in_before)
    )
    return sums.select("uscc", "now", before=ibis.cases((sums.months_before >= full, sums.before)))
