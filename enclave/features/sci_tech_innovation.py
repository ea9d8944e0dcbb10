"""Titles and R&D, a table of hits: where attested, no title scores 0 with 0 months left, and no stated R&D is an
intensity of 0. Growth of R&D that was never stated is not applicable; with one year alone it is missing.

Each kind of title scores once, however many certificates of it overlap. R&D figures are of years that are over; several
rows of one year repeat the same figure, so the largest is taken. The intensity is of the latest year for which R&D and
revenue (annual_report) are both known.
"""

from typing import Final

import ibis

from enclave.features.annual_report import yearly_reports
from enclave.features.tables import Tables, no_base, per_enterprise, ratio
from enclave.features.windows import Clock, growth, open_end

_POINTS: Final = {
    "little_giant": 4,
    "specialised": 3,
    "high_tech": 3,
    "rd_centre": 2,
    "tech_sme": 1,
    "innovative_sme": 1,
}
_FLOOR_WAN: Final = 1.0


def _titles(rows: ibis.Table, clock: Clock) -> ibis.Table:
    """(uscc, points, left): of the titles valid at `as_of`."""
    valid = rows.filter(rows.title_type.notnull(), rows.issue_date <= clock.as_of, clock.unended(rows.valid_to))
    kinds = valid.group_by("uscc", "title_type").agg(ends=open_end(valid.valid_to).max())
    points = ibis.cases(*((kinds.title_type == title, worth) for title, worth in _POINTS.items()))
    return kinds.group_by("uscc").agg(points=points.sum().cast("float64"), left=clock.months_left(kinds.ends).max())


def _research(rows: ibis.Table, tables: Tables, clock: Clock) -> tuple[ibis.Table, ibis.Table]:
    """(uscc, spent, spent_before) of the latest year stated, and (uscc, spent_same, revenue) of the latest year for
    which the revenue is known too."""
    stated = rows.filter(rows.rd_expense.notnull(), rows.year <= clock.last_full_year)
    yearly = stated.group_by("uscc", report_year=stated.year).agg(spent=stated.rd_expense.max().cast("float64"))
    before = yearly.select("uscc", report_year=yearly.report_year + 1, spent_before=yearly.spent)
    pairs = yearly.left_join(before, ["uscc", "report_year"]).select("uscc", "report_year", "spent", "spent_before")
    reports = yearly_reports(tables, clock)
    both = yearly.inner_join(reports.filter(reports.revenue.notnull()), ["uscc", "report_year"])
    same = both.select("uscc", "report_year", "revenue", spent_same="spent")
    return _last_year(pairs), _last_year(same)


def _last_year(table: ibis.Table) -> ibis.Table:
    newest = table.group_by("uscc").agg(report_year=table.report_year.max())
    return table.semi_join(newest, ["uscc", "report_year"]).drop("report_year")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("sci_tech_innovation")
    pairs, same = _research(rows, tables, clock)
    firm = per_enterprise(tables, _titles(rows, clock), pairs, same)
    attested = tables.attests("sci_tech_innovation")
    none_stated = firm.spent.isnull() & ibis.literal(attested)
    return firm.select(
        "uscc",
        tec_title_score=tables.if_attested("sci_tech_innovation", firm.points, 0.0),
        tec_title_months_left=tables.if_attested("sci_tech_innovation", firm.left, 0.0),
        tec_rd_intensity=ibis.cases((none_stated, 0.0), else_=100.0 * ratio(firm.spent_same, firm.revenue)),
        tec_rd_intensity__na=no_base(firm.revenue),
        tec_rd_growth=growth(firm.spent, firm.spent_before, _FLOOR_WAN),
        tec_rd_growth__na=none_stated,
    )
