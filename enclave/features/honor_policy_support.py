"""Honours and policy support, a table of hits: where attested, no row means none. Dependency compares support in m12
with the revenue of the latest annual report; without support it is 0 whatever the revenue, and with support but a
revenue of zero not applicable."""

from typing import Final

import ibis

from enclave.features.annual_report import latest_report
from enclave.features.tables import Tables, no_base, per_enterprise, ratio, total_if
from enclave.features.windows import Clock

_CATEGORY: Final = "honor_policy_support"
_POINTS: Final = {"national": 5, "province": 3, "city": 2, "county": 1}


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of(_CATEGORY)
    span = clock.of(_CATEGORY)
    points = ibis.cases(*((rows.level == level, worth) for level, worth in _POINTS.items()))
    supported = (rows.support_type != "none").fill_null(True) & rows.support_amount.notnull()
    sums = rows.group_by("uscc").agg(
        score=total_if(span.m36.has_date(rows.grant_date), points),
        support=total_if(supported & span.m36.has_date(rows.support_date), rows.support_amount),
        recent=total_if(supported & span.m12.has_date(rows.support_date), rows.support_amount),
    )
    revenue = latest_report(tables, clock).select("uscc", "revenue")
    firm = per_enterprise(tables, sums, revenue)
    recent = tables.if_attested(_CATEGORY, firm.recent, 0.0)
    return firm.select(
        "uscc",
        hon_score_m36=tables.if_attested(_CATEGORY, firm.score, 0.0),
        hon_support_m36=tables.if_attested(_CATEGORY, firm.support, 0.0),
        hon_support_dependency=ibis.cases((recent == 0, 0.0), else_=100.0 * ratio(recent, firm.revenue)),
        hon_support_dependency__na=(recent != 0).fill_null(False) & no_base(firm.revenue),
    )
