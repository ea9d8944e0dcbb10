"""Annual reports: the latest year that is over, its predecessor, and filing on time.

A year's report is due from 1 January to 30 June of the next year. Figures are those of the last filing; timeliness is
that of the first, since a correction filed later is no delay. Ratios to assets, revenue or employees of zero are not
applicable. An enterprise that never filed is missing.
"""

from typing import Final

import ibis

from enclave.features.tables import Tables, latest, no_base, per_enterprise, ratio, unbroken
from enclave.features.windows import Clock, growth

_FLOOR_WAN: Final = 1.0
_FIGURES: Final = ("total_assets", "total_liabilities", "equity", "revenue", "net_profit", "employees")


def yearly_reports(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, report_year, figures as floats): one row an enterprise and year that is over, as last filed."""
    rows = tables.of("annual_report")
    seen = rows.filter(rows.report_year <= clock.last_full_year, clock.begun(rows.filed_date))
    last = latest(seen, ("uscc", "report_year"), "filed_date")
    return last.select("uscc", "report_year", **{name: last[name].cast("float64") for name in _FIGURES})


def latest_report(tables: Tables, clock: Clock) -> ibis.Table:
    """(uscc, report_year, figures as floats) of each enterprise's latest year."""
    years = yearly_reports(tables, clock)
    newest = years.group_by("uscc").agg(report_year=years.report_year.max())
    return years.semi_join(newest, ["uscc", "report_year"])


def _on_time(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("annual_report").rename(year="report_year")
    filed = rows.filter(rows.filed_date <= clock.as_of)
    due = clock.as_of.year - (1 if clock.as_of.month >= 6 else 2)
    first = filed.group_by("uscc", "year").agg(filed=filed.filed_date.min())
    in_time = (first.filed.year() == first.year + 1) & (first.filed.month() <= 6)
    # Years run back from the last one due exactly as months do from the last settled one.
    return unbroken(first.filter(in_time).rename(month="year"), due)


def build(tables: Tables, clock: Clock) -> ibis.Table:
    report = latest_report(tables, clock)
    years = yearly_reports(tables, clock)
    before = years.select("uscc", report_year=years.report_year + 1, revenue_before=years.revenue)
    pair = report.left_join(before, ["uscc", "report_year"]).select(*report.columns, "revenue_before")
    firm = per_enterprise(tables, pair, _on_time(tables, clock))
    filed = firm.report_year.notnull()
    return firm.select(
        "uscc",
        ar_debt_ratio=100.0 * ratio(firm.total_liabilities, firm.total_assets),
        ar_debt_ratio__na=no_base(firm.total_assets),
        ar_revenue_growth=growth(firm.revenue, firm.revenue_before, _FLOOR_WAN),
        ar_net_margin=100.0 * ratio(firm.net_profit, firm.revenue),
        ar_net_margin__na=no_base(firm.revenue),
        ar_revenue_per_head=ratio(firm.revenue, firm.employees),
        ar_revenue_per_head__na=no_base(firm.employees),
        ar_on_time_years=ibis.cases((filed, firm.run.fill_null(0.0))),
    )
