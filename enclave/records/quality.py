"""Which rows may be used: the identity is well formed, its check character holds, and the row was there in time."""

from datetime import date, timedelta
from enum import StrEnum
from typing import Final

import ibis

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Of GB 32100-2015; the position of a character is its value."""
_WEIGHTS: Final = tuple(pow(3, place, 31) for place in range(17))


class Standing(StrEnum):
    """Where a row goes."""

    USED = "used"
    MALFORMED = "malformed"
    """Quarantined: the USCC is absent or not 18 characters of the standard's alphabet."""
    CHECK_FAILED = "check_failed"
    """Quarantined: well formed, and the 18th character is wrong. Some genuine legacy codes are so."""
    LATE = "late"
    """Not visible yet: received after the end of the `as_of` day (UTC), or about a later month."""


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


def with_standing(table: ibis.Table, judged: ibis.Table, as_of: date) -> ibis.Table:
    """The table with a column `standing`; `judged` says of each code whether it may be used."""
    rows = table.left_join(judged, "uscc").drop("uscc_right")
    tomorrow = ibis.literal(as_of + timedelta(days=1)).cast("timestamp(6)")
    late = (rows.recv_time >= tomorrow) | (rows.data_month > as_of.year * 100 + as_of.month).fill_null(False)
    standing = ibis.cases(
        (~rows.formed.fill_null(False), Standing.MALFORMED.value),
        (~rows.holds, Standing.CHECK_FAILED.value),
        (late, Standing.LATE.value),
        else_=Standing.USED.value,
    )
    return rows.mutate(standing=standing).drop("formed", "holds")


def newest_of_each_record(table: ibis.Table) -> ibis.Table:
    """One row a `record_id`: the last received. Rows received at the same time are ordered by all their columns, so
    that the choice does not depend on how the file happens to be laid out."""
    others = sorted(set(table.columns) - {"record_id", "recv_time"})
    order = [table.recv_time.desc(), *(table[name].desc() for name in others)]
    place = ibis.row_number().over(group_by=table.record_id, order_by=order)
    ranked = table.mutate(place_in_record=place)
    return ranked.filter(ranked.place_in_record == 0).drop("place_in_record")
