"""Social insurance. Pension stands for all insurances where one is meant, because everybody insured has it.

A month is paid when something was paid and no less than payable; the two months until it is settled are the grace.
Nothing is ever not applicable: an enterprise without a row is missing, since whether it has employees is not known.
"""

from typing import Final

import ibis
from xinyidai.catalogue import Catalogue

from enclave.features.tables import Tables, by_month, count_if, flag, per_enterprise, ratio, total_if, unbroken
from enclave.features.windows import Clock, growth, ym_number

_FLOOR_PERSONS: Final = 1.0
_BASE_LIMIT: Final = "si_base_lower_limit"


def insured_months(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, month, insured, base, payable, paid, short): one row a settled month, all accounts together.

    The first four are of pension and NULL without it; `short` is 1 when any insurance was paid short, otherwise 0.
    """
    rows = tables.of("social_insurance")
    settled = rows.filter(clock.of("social_insurance").settles_ym(rows.period_ym))
    pension = settled.insurance_type == "pension"
    return by_month(
        settled,
        ym_number(settled.period_ym),
        pensions=count_if(pension),
        insured=total_if(pension, settled.insured_count),
        base=total_if(pension, settled.base_total),
        payable=total_if(pension, settled.payable),
        paid=total_if(pension, settled.paid),
        short=flag(settled.paid.fill_null(0) < settled.payable),
    )


def insured_average(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, insured_avg): mean of the insured persons over the months of m12 that there are."""
    months, m12 = insured_months(tables, clock), clock.of("social_insurance").m12
    recent = months.filter(months.month.between(m12.first, m12.last))
    return recent.group_by("uscc").agg(insured_avg=recent.insured.mean())


def _lower_limit(catalogue: Catalogue, month: ibis.Value) -> ibis.Value:
    """By month number. NULL in a catalogue without the figure, which then has no feature that needs it."""
    steps = [step for figure in catalogue.figures if figure.code == _BASE_LIMIT for step in figure.steps]
    if not steps:
        return ibis.null("float64")
    first, *later = ((step.month // 100 * 12 + step.month % 100 - 1, step.value) for step in steps)
    return ibis.cases(*((month >= since, value) for since, value in reversed(later)), (month.notnull(), first[1]))


def _base_ratio(months: ibis.Table, catalogue: Catalogue) -> ibis.Table:
    """(uscc, base_ratio) of the last settled month that states a base."""
    known = months.filter(months.base.notnull(), months.insured > 0)
    newest = known.group_by("uscc").agg(month=known.month.max())
    last = known.semi_join(newest, ["uscc", "month"])
    return last.select("uscc", base_ratio=ratio(last.base, last.insured) / _lower_limit(catalogue, last.month))


def _sums(months: ibis.Table, clock: Clock) -> ibis.Table:
    """One row an enterprise: everything that needs one pass over its months."""
    span = clock.of("social_insurance")
    in_m12, in_p12, in_m24 = (months.month.between(w.first, w.last) for w in (span.m12, span.p12, span.m24))
    counted = months.insured.notnull()
    return months.group_by("uscc").agg(
        pensions=months.pensions.sum(),
        now=total_if(in_m12, months.insured),
        present=count_if(in_m12 & counted),
        before=total_if(in_p12, months.insured),
        months_before=count_if(in_p12 & counted),
        # NULL without a row in m24.
        short_months=total_if(in_m24, months.short),
    )


def build(tables: Tables, clock: Clock) -> ibis.Table:
    months = insured_months(tables, clock)
    paid = months.filter(months.paid > 0, (months.paid >= months.payable).fill_null(True))
    run = unbroken(paid, clock.of("social_insurance").settled)
    firm = per_enterprise(tables, _sums(months, clock), run, _base_ratio(months, tables.catalogue))
    average = firm.now / ibis.cases((firm.present > 0, firm.present))
    before = ibis.cases((firm.months_before >= 12, firm.before / 12.0))
    return firm.select(
        "uscc",
        si_consecutive_months=ibis.cases((firm.pensions > 0, firm.run.fill_null(0.0))),
        si_insured_avg_m12=average,
        si_insured_growth_yoy=growth(average, before, _FLOOR_PERSONS),
        si_arrears_months_m24=firm.short_months,
        si_base_ratio=firm.base_ratio,
    )
