"""Gas. Most firms have no account: where the table is held, an enterprise without a row is not applicable throughout.
A reading counts in the month it was taken in; all accounts of a firm are summed."""

from typing import Final

import ibis

from enclave.features.bills import late_bills
from enclave.features.tables import Tables, by_month, count_if, per_enterprise, total, yearly_sums
from enclave.features.windows import Clock, date_number, growth

_FLOOR_M3: Final = 10.0


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("gas_usage")
    rows = tables.of("gas_usage")
    settled = rows.filter(date_number(rows.read_date) <= span.settled)
    months = by_month(settled, date_number(settled.read_date), volume=total(settled.volume))
    months = months.filter(months.volume.notnull())
    sums = yearly_sums(months, "volume", span.m12, span.p12, 12)
    recent = months.filter(months.month.between(span.m12.first, span.m12.last))
    active = recent.group_by("uscc").agg(active=count_if(recent.volume > 0))
    late = late_bills(settled.filter(span.m24.has_date(settled.read_date)), clock, "late_fee")
    accounts = rows.select("uscc").distinct().mutate(account=True)
    firm = per_enterprise(tables, accounts, sums, active, late)
    no_account = firm.account.isnull()
    return firm.select(
        "uscc",
        gas_volume_m12=firm.now,
        gas_volume_m12__na=no_account,
        gas_growth_yoy=growth(firm.now, firm.before, _FLOOR_M3),
        gas_growth_yoy__na=no_account,
        gas_active_months_m12=firm.active,
        gas_active_months_m12__na=no_account,
        gas_late_cnt_m24=firm.late,
        gas_late_cnt_m24__na=no_account,
    )
