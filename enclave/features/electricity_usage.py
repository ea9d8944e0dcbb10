"""Electricity, the production signal. All accounts of a firm are summed by month. Volatility needs all twelve months of
m12, growth all twelve of p12. Ratios to a consumption of zero are not applicable; no row is missing."""

from typing import Final

import ibis

from enclave.features.bills import late_bills
from enclave.features.tables import Tables, by_month, no_base, per_enterprise, ratio, total, yearly_sums
from enclave.features.windows import Clock, growth, ym_number

_FLOOR_KWH: Final = 100.0


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("electricity_usage")
    rows = tables.of("electricity_usage")
    settled = rows.filter(span.settles_ym(rows.period_ym))
    months = by_month(settled, ym_number(settled.period_ym), kwh=total(settled.kwh))
    months = months.filter(months.kwh.notnull())
    recent = months.filter(months.month.between(span.m12.first, span.m12.last))
    use = recent.group_by("uscc").agg(
        mean_kwh=recent.kwh.mean(),
        peak=recent.kwh.max(),
        last_kwh=ibis.cases((recent.month == span.settled, recent.kwh)).max(),
        deviation=recent.kwh.std(how="pop"),
        present=recent.count(),
    )
    sums = yearly_sums(months, "kwh", span.m12, span.p12, 12)
    late = late_bills(settled.filter(span.m24.has_ym(settled.period_ym)), clock, "penalty")
    firm = per_enterprise(tables, use, sums, late)
    return firm.select(
        "uscc",
        ele_kwh_avg_m12=firm.mean_kwh,
        ele_growth_yoy=growth(firm.now, firm.before, _FLOOR_KWH),
        ele_capacity_use=100.0 * ratio(firm.last_kwh, firm.peak),
        ele_capacity_use__na=no_base(firm.peak),
        ele_late_cnt_m24=firm.late,
        ele_volatility_m12=ibis.cases((firm.present == 12, ratio(firm.deviation, firm.mean_kwh))),
        ele_volatility_m12__na=no_base(firm.mean_kwh) & (firm.present == 12),
    )
