"""Trade and customs credit. A firm not registered with customs does not trade abroad: where the table is held, an
enterprise without a row is not applicable throughout. Growth needs a row for each month of p12, with zero for a month
without trade. The grade is the last stated one (five grades, GACC Order 282)."""

from typing import Final

import ibis

from enclave.features.tables import Tables, by_month, count_if, latest, levels, per_enterprise, total, yearly_sums
from enclave.features.windows import Clock, growth, ym_number

_FLOOR_WAN: Final = 1.0
_WAN: Final = 10_000.0
_GRADES: Final = ("seriously_dishonest", "dishonest", "regular", "certified", "advanced_certified")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("customs_trade")
    rows = tables.of("customs_trade")
    stated = rows.filter(rows.export_value.notnull() | rows.import_value.notnull())
    value = stated.export_value.fill_null(0) + stated.import_value.fill_null(0)
    months = by_month(stated, ym_number(stated.period_ym), value=total(value))
    trade = months.mutate(value=months.value / _WAN)
    counted = by_month(rows, ym_number(rows.period_ym), declarations=total(rows.declaration_cnt))
    counted = counted.filter(counted.declarations.notnull())
    recent = counted.filter(counted.month.between(span.m12.first, span.m12.last))
    active = recent.group_by("uscc").agg(active=count_if(recent.declarations >= 1))
    graded = rows.filter(rows.grade.notnull(), (ym_number(rows.period_ym) <= clock.month).fill_null(True))
    newest = latest(graded, ("uscc",), "period_ym", "data_month")
    grade = newest.select("uscc", grade_level=levels(newest.grade, _GRADES))
    registered = rows.select("uscc").distinct().mutate(registered=True)
    firm = per_enterprise(tables, registered, yearly_sums(trade, "value", span.m12, span.p12, 12), active, grade)
    unregistered = firm.registered.isnull()
    return firm.select(
        "uscc",
        cus_trade_m12=firm.now,
        cus_trade_m12__na=unregistered,
        cus_growth_yoy=growth(firm.now, firm.before, _FLOOR_WAN),
        cus_growth_yoy__na=unregistered,
        cus_active_months_m12=firm.active,
        cus_active_months_m12__na=unregistered,
        cus_grade=firm.grade_level,
        cus_grade__na=unregistered,
    )
