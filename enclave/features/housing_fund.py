"""Housing fund. A month has a deposit when its amount is above zero. Gaps are counted from the month the account was
opened (its first row). The coverage reads social insurance too; with nobody insured it is not applicable. An
enterprise without a row is missing: whether it should have an account is not known here."""

import ibis

from enclave.features.social_insurance import insured_average
from enclave.features.tables import Tables, by_month, no_base, per_enterprise, ratio, total, total_if, unbroken
from enclave.features.windows import Clock, ym_number


def _months(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("housing_fund")
    months = by_month(rows, ym_number(rows.period_ym), payers=total(rows.payer_count), amount=total(rows.amount))
    return months.filter(months.month <= clock.of("housing_fund").settled)


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of("housing_fund")
    months = _months(tables, clock)
    deposits = months.filter(months.amount > 0)
    in_m12 = months.month.between(span.m12.first, span.m12.last)
    sums = months.group_by("uscc").agg(
        opened=months.month.min(),
        payers=ibis.cases((in_m12, months.payers)).mean(),
        payer_months=total_if(in_m12, months.payers),
        amount=total_if(in_m12, months.amount),
    )
    in_m24 = deposits.filter(deposits.month.between(span.m24.first, span.m24.last))
    made = in_m24.group_by("uscc").agg(made=in_m24.count())
    firm = per_enterprise(tables, sums, made, unbroken(deposits, span.settled), insured_average(tables, clock))
    since_opening = span.settled - ibis.greatest(firm.opened, span.m24.first) + 1
    return firm.select(
        "uscc",
        hf_consecutive_months=ibis.cases((firm.opened.notnull(), firm.run.fill_null(0.0))),
        hf_payer_avg_m12=firm.payers,
        hf_amount_per_head=ratio(firm.amount, firm.payer_months),
        hf_amount_per_head__na=no_base(firm.payer_months),
        hf_gap_months_m24=ibis.cases((firm.opened.notnull(), (since_opening - firm.made.fill_null(0)).cast("float64"))),
        hf_coverage=100.0 * ratio(firm.payers, firm.insured_avg),
        hf_coverage__na=firm.payers.notnull() & no_base(firm.insured_avg),
    )
