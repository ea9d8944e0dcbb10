"""Social insurance. Pension stands for all insurances where one is meant, because everybody insured has it.

A month is paid when something was paid and no less than payable; the two months until it is settled are the grace.
Nothing is ever not applicable: an enterprise without a row is missing, since whether it has employees is not known.
"""

from typing import Final

import ibis

from enclave.features.tables import Tables, by_month, per_enterprise, ratio, total, unbroken, yearly_sums
from enclave.features.windows import Clock, growth, ym_number

_FLOOR_PERSONS: Final = 1.0
BASE_LOWER_LIMIT: Final = ((202401, 4879.0), (202501, 4952.0))
"""Lower limit of the contribution base in Jiangsu, CNY a month, by the first month it applies in; the first entry also
holds for months before it. Recalled, not read in a published text: an operator checks it, and adds each new year."""


def _monthly(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("social_insurance")
    settled = rows.filter(ym_number(rows.period_ym) <= clock.of("social_insurance").settled)
    return settled.mutate(month=ym_number(settled.period_ym))


def pension_months(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, month, insured, base, payable, paid): pension by settled month, all accounts together."""
    rows = _monthly(tables, clock)
    pension = rows.filter(rows.insurance_type == "pension")
    return by_month(
        pension,
        pension.month,
        insured=total(pension.insured_count),
        base=total(pension.base_total),
        payable=total(pension.payable),
        paid=total(pension.paid),
    )


def insured_average(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, insured_avg): mean of the insured persons over the months of m12 that there are."""
    months, m12 = pension_months(tables, clock), clock.of("social_insurance").m12
    recent = months.filter(months.month.between(m12.first, m12.last))
    return recent.group_by("uscc").agg(insured_avg=recent.insured.mean())


def _growth(months: ibis.Table, clock: Clock) -> ibis.Table:
    span = clock.of("social_insurance")
    counted = months.filter(months.insured.notnull())
    sums = yearly_sums(counted, "insured", span.m12, span.p12, 12)
    in_m12 = counted.filter(counted.month.between(span.m12.first, span.m12.last))
    present = in_m12.group_by("uscc").agg(present=in_m12.count())
    means = sums.left_join(present, "uscc").drop("uscc_right")
    return means.select("uscc", insured_growth=growth(means.now / means.present, means.before / 12.0, _FLOOR_PERSONS))


def _arrears(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, short_months): months of m24 in which any insurance was paid short; NULL without a row in m24."""
    rows, m24 = _monthly(tables, clock), clock.of("social_insurance").m24
    recent = rows.filter(rows.month.between(m24.first, m24.last))
    short = ibis.cases((recent.paid.fill_null(0) < recent.payable, recent.month))
    return recent.group_by("uscc").agg(short_months=short.nunique().cast("float64"))


def _base_ratio(months: ibis.Table) -> ibis.Table:
    """(uscc, base_ratio) of the last settled month that states a base."""
    known = months.filter(months.base.notnull(), months.insured > 0)
    newest = known.group_by("uscc").agg(month=known.month.max())
    last = known.semi_join(newest, ["uscc", "month"])
    first, *later = BASE_LOWER_LIMIT
    limit = ibis.cases(
        *((last.month >= ym // 100 * 12 + ym % 100 - 1, value) for ym, value in reversed(later)), else_=first[1]
    )
    return last.select("uscc", base_ratio=ratio(last.base, last.insured) / limit)


def build(tables: Tables, clock: Clock) -> ibis.Table:
    months = pension_months(tables, clock)
    paid = months.filter(months.paid > 0, (months.paid >= months.payable).fill_null(True))
    known = months.select("uscc").distinct().mutate(known=True)
    run = unbroken(paid, clock.of("social_insurance").settled)
    firm = per_enterprise(
        tables,
        known,
        run,
        insured_average(tables, clock),
        _growth(months, clock),
        _arrears(tables, clock),
        _base_ratio(months),
    )
    return firm.select(
        "uscc",
        si_consecutive_months=ibis.cases((firm.known, firm.run.fill_null(0.0))),
        si_insured_avg_m12=firm.insured_avg,
        si_insured_growth_yoy=firm.insured_growth,
        si_arrears_months_m24=firm.short_months,
        si_base_ratio=firm.base_ratio,
    )
