"""Tax declared and paid. A declaration counts whole in the month its period ends in, and only once that is settled.
Every enterprise declares, also with nothing to pay: no declaration in a window is missing, not zero. The burden is not
applicable when sales were declared as zero; its comparison with an industry is left to the model."""

from functools import reduce
from operator import add
from typing import Final

import ibis

from enclave.features.tables import Tables, flag, no_base, per_enterprise, ratio, total_if
from enclave.features.windows import Clock, Window, date_number, growth

_FLOOR_CNY: Final = 1_000.0


def _months_covered(declared: ibis.Table, window: Window, condition: ibis.Value) -> ibis.Value:
    """Months of a window that lie in at least one period meeting a condition; a quarter covers three."""
    return reduce(
        add,
        (
            flag(condition & (declared.from_month <= month) & (declared.to_month >= month))
            for month in range(window.first, window.last + 1)
        ),
    )


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("tax_payment")
    rows = tables.of("tax_payment")
    dated = rows.mutate(from_month=date_number(rows.period_from), to_month=date_number(rows.period_to))
    declared = dated.filter(dated.to_month <= span.settled)
    in_m12, in_p12 = (declared.to_month.between(w.first, w.last) for w in (span.m12, span.p12))
    in_m24 = declared.to_month.between(span.m24.first, span.m24.last)
    sums = declared.group_by("uscc").agg(
        paid=total_if(in_m12, declared.tax_paid),
        paid_before=total_if(in_p12, declared.tax_paid),
        months_before=_months_covered(declared, span.p12, ibis.literal(True)),
        sales=total_if(in_m12, declared.declared_sales),
        any_m24=flag(in_m24),
        taxed=_months_covered(declared, span.m24, declared.tax_paid > 0),
    )
    firm = per_enterprise(tables, sums)
    full_before = ibis.cases((firm.months_before >= 12, firm.paid_before))
    return firm.select(
        "uscc",
        tax_paid_m12=firm.paid,
        tax_months_m24=ibis.cases((firm.any_m24 > 0, firm.taxed)),
        tax_growth_yoy=growth(firm.paid, full_before, _FLOOR_CNY),
        tax_sales_m12=firm.sales,
        tax_burden_m12=100.0 * ratio(firm.paid, firm.sales),
        tax_burden_m12__na=no_base(firm.sales),
    )
