"""Which rows may be used: the identity is well formed, its check character holds, and the row was there in time."""

from datetime import date, timedelta
from typing import Final

import ibis

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Of GB 32100-2015; the position of a character is its value."""
_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))


def _check_holds(uscc: ibis.Value) -> ibis.Value:
    """The same as `xinyidai.identifiers.check_character_holds`, as an expression over a column."""
    value = [ibis.literal(_ALPHABET).find(uscc.substr(place, 1)) for place in range(18)]
    total = sum((value[place] * weight for place, weight in enumerate(_WEIGHTS)), start=ibis.literal(0))
    return (total + value[17]) % 31 == 0


def judge_codes(codes: ibis.Table) -> ibis.Table:
    """(uscc, formed, holds) from distinct codes, the absent one left out."""
    known = codes.filter(codes.uscc.notnull())
    # The length beside the pattern: `$` also matches before a final newline in some engines.
    formed = known.uscc.re_search("^[0-9A-HJ-NPQRTUWXY]{18}$") & (known.uscc.length() == 18)
    return known.select("uscc", formed=formed, holds=_check_holds(known.uscc))


def in_time(table: ibis.Table, as_of: date) -> ibis.Value:
    """Whether a row was there by the end of the `as_of` day (UTC) and is about no later month. Others are late: not
    visible yet."""
    tomorrow = ibis.literal(as_of + timedelta(days=1)).cast("timestamp(6)")
    ahead = (table.data_month > as_of.year * 100 + as_of.month).fill_null(False)
    return (table.recv_time < tomorrow) & ~ahead


def tally(table: ibis.Table, as_of: date) -> ibis.Table:
    """(uscc, rows, visible): how many rows each code has, and how many of them are in time. One pass; no row of the
    file is looked at again to say what became of it."""
    timely = in_time(table, as_of).cast("int64")
    return table.group_by("uscc").agg(rows=table.count(), visible=timely.sum())


def judged_counts(tallied: ibis.Table, judged: ibis.Table) -> ibis.Table:
    """One row: where the rows of a tally go.

    `malformed`: quarantined, since the USCC is absent or not 18 characters of the standard's alphabet. `check_failed`:
    quarantined, since it is well formed and its 18th character is wrong; some genuine legacy codes are so. `late`: of
    usable codes, not visible yet. `visible`: the rest, of `enterprises` codes.
    """
    codes = tallied.left_join(judged, "uscc")
    formed = codes.formed.fill_null(False)
    good = formed & codes.holds.fill_null(False)

    def rows(condition: ibis.Value, column: ibis.Value) -> ibis.Value:
        return ibis.ifelse(condition, column, 0).sum().fill_null(0)

    return codes.agg(
        malformed=rows(~formed, codes.rows),
        check_failed=rows(formed & ~good, codes.rows),
        late=rows(good, codes.rows - codes.visible),
        visible=rows(good, codes.visible),
        enterprises=rows(good & (codes.visible > 0), ibis.literal(1)),
    )


def newest_of_each_record(table: ibis.Table) -> ibis.Table:
    """One row a record, which its source and `record_id` name together: the last received. Sources number their
    records by themselves, so that one's 000123 is not another's. Rows received at the same time are ordered by all
    their columns, so that the choice does not depend on how the file happens to be laid out."""
    others = sorted(set(table.columns) - {"record_id", "recv_time"})
    order = [table[name].desc(nulls_first=False) for name in ("recv_time", *others)]
    place = ibis.row_number().over(group_by=[table.source_dept, table.record_id], order_by=order)
    ranked = table.mutate(place_in_record=place)
    return ranked.filter(ranked.place_in_record == 0).drop("place_in_record")
