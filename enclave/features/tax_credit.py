"""Tax credit grades and arrears.

A calendar year's grade is published in the April after; earlier than that the year counts as not evaluated. A grade D,
arrears and an abnormal state are negative records and count only while usable. An enterprise the table knows but that
was never graded within the window has no grade to speak of: the grade and its shares are not applicable. Arrears are
those of the last month stated: a later statement without arrears ends earlier ones.
"""

from typing import Final

import ibis

from enclave.features.tables import Tables, count_if, latest, levels, per_enterprise, ratio, total_if
from enclave.features.windows import NEVER, Clock, usable, ym_number

_CATEGORY: Final = "tax_credit"
_GRADES: Final = ("D", "C", "M", "B", "A")
_UNRATED_LEVEL: Final = 2.0
_PUBLISHED_MONTH: Final = 4


def _grades(tables: Tables, clock: Clock, last_year: int) -> ibis.Table:
    rows = tables.of(_CATEGORY)
    graded = rows.filter(rows.grade.notnull(), rows.eval_year <= last_year, clock.begun(rows.valid_from))
    standing = graded.mutate(level=levels(graded.grade, _GRADES))
    yearly = latest(standing, ("uscc", "eval_year"), "valid_from")
    return ibis.union(yearly.filter(yearly.grade != "D"), usable(clock, yearly.filter(yearly.grade == "D"), _CATEGORY))


def _grade_features(tables: Tables, clock: Clock) -> ibis.Table:
    last_year = clock.as_of.year - (1 if clock.as_of.month >= _PUBLISHED_MONTH else 2)
    grades = _grades(tables, clock, last_year)
    in_3, in_5 = grades.eval_year > last_year - 3, grades.eval_year > last_year - 5
    newest = latest(grades, ("uscc",), "eval_year").select("uscc", grade_level="level")
    sums = grades.group_by("uscc").agg(
        points=total_if(in_3, grades.level) + _UNRATED_LEVEL * (3 - count_if(in_3)),
        good=count_if(in_5 & (grades.level >= 3)),
        rated=count_if(in_5),
    )
    return sums.left_join(newest, "uscc").drop("uscc_right")


def _arrears(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, balance, since_arrears): the last stated month's balance, and months since there was one (0 if now)."""
    rows = tables.of(_CATEGORY)
    # A balance of an unknown month is of no day.
    stated = rows.filter(rows.arrears_balance.notnull(), rows.data_month.notnull())
    stated = stated.mutate(month=ym_number(stated.data_month))
    owed = usable(clock, stated, _CATEGORY)
    last = stated.group_by("uscc").agg(last_month=stated.month.max())
    monthly = owed.group_by("uscc", "month").agg(balance=owed.arrears_balance.sum().cast("float64"))
    joined = last.left_join(monthly, "uscc").drop("uscc_right")
    now = joined.month == joined.last_month
    since = ibis.cases((joined.balance > 0, ibis.ifelse(now, 0, clock.month - joined.month)))
    return joined.group_by("uscc").agg(
        balance=total_if(now, joined.balance).fill_null(0.0), since_arrears=since.min().cast("float64")
    )


def _abnormal(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, since_abnormal): months since an abnormal state ended, 0 in it, NULL without one. A state is told of month
    after month, with the day it began; what the last month says of it holds, so that its end ends what earlier months
    said."""
    rows = tables.of(_CATEGORY)
    state = rows.filter(rows.abnormal_taxpayer.fill_null(False) | rows.abnormal_end_date.notnull())
    told = latest(state.filter(clock.begun(state.abnormal_date)), ("uscc", "abnormal_date"), "data_month")
    told = usable(clock, told, _CATEGORY)
    since = ibis.ifelse(clock.ended(told.abnormal_end_date), clock.months_since(told.abnormal_end_date), 0.0)
    return told.group_by("uscc").agg(since_abnormal=since.min())


def build(tables: Tables, clock: Clock) -> ibis.Table:
    known = tables.of(_CATEGORY).select("uscc").distinct().mutate(known=True)
    parts = (_grade_features(tables, clock), _arrears(tables, clock), _abnormal(tables, clock))
    firm = per_enterprise(tables, known, *parts)
    is_known = firm.known.fill_null(False)
    bad = ibis.least(firm.since_arrears.fill_null(NEVER), firm.since_abnormal.fill_null(NEVER))
    return firm.select(
        "uscc",
        tcr_grade_latest=firm.grade_level,
        tcr_grade_latest__na=is_known & firm.grade_level.isnull(),
        tcr_points_3y=ibis.cases((is_known, firm.points.fill_null(3 * _UNRATED_LEVEL))),
        tcr_share_ab_5y=100.0 * ratio(firm.good, firm.rated),
        tcr_share_ab_5y__na=is_known & (firm.rated.fill_null(0.0) == 0),
        tcr_arrears_balance=firm.balance,
        tcr_months_since_bad=ibis.cases((is_known, bad)),
    )
