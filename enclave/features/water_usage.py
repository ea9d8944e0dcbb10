"""Water. All accounts of a firm are summed, without those of residents. A reading counts in the month it was taken in.
Suppliers read monthly or every second month, so a full p12 needs readings in at least six of its months. Every firm
uses water from somebody: no row is missing, never not applicable."""

from typing import Final

import ibis

from enclave.features.bills import late_bills
from enclave.features.tables import Tables, by_month, latest, per_enterprise, total, yearly_sums
from enclave.features.windows import Clock, date_number, growth

_FLOOR_M3: Final = 10.0
_READINGS_A_YEAR: Final = 6


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("water_usage")
    rows = tables.of("water_usage")
    own = rows.filter(rows.use_nature.fill_null("") != "resident", rows.read_date <= clock.as_of)
    settled = own.filter(date_number(own.read_date) <= span.settled)
    months = by_month(settled, date_number(settled.read_date), volume=total(settled.volume))
    months = months.filter(months.volume.notnull())
    sums = yearly_sums(months, "volume", span.m12, span.p12, _READINGS_A_YEAR)
    accounts = latest(own.filter(own.arrears_amount.notnull()), ("uscc", "account_no"), "read_date")
    arrears = accounts.group_by("uscc").agg(arrears=total(accounts.arrears_amount))
    late = late_bills(settled.filter(span.m24.has_date(settled.read_date)), clock, "late_fee")
    firm = per_enterprise(tables, sums, arrears, late)
    return firm.select(
        "uscc",
        wat_volume_m12=firm.now,
        wat_growth_yoy=growth(firm.now, firm.before, _FLOOR_M3),
        wat_late_cnt_m24=firm.late,
        wat_arrears_amount=firm.arrears,
    )
