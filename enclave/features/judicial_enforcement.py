"""Judgments and enforcement, a table of hits: where attested, no row means no case. Repaired records do not count. A
case is open until it is closed; what a plaintiff is owed is no debt of the plaintiff's, so only cases as defendant or
as the one executed add to the unperformed amount."""

from typing import Final

import ibis

from enclave.features.tables import Tables, count_hits, per_enterprise, total_if
from enclave.features.windows import NEVER, Clock, capped, usable

_CATEGORY: Final = "judicial_enforcement"


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of(_CATEGORY)
    rows = usable(clock, tables.of(_CATEGORY), _CATEGORY)
    kept = rows.filter(rows.filing_date <= clock.as_of)
    executed = (kept.role == "executed").fill_null(False)
    is_open = ~clock.ended(kept.closed_date)
    owing = is_open & kept.role.isin(("defendant", "executed"))
    listed = kept.dishonest_flag.fill_null(False) & clock.begun(kept.publish_date) & is_open
    sums = kept.group_by("uscc").agg(
        unperformed=total_if(owing, kept.unperformed_amount),
        executions=count_hits(executed & span.m24.has_date(kept.filing_date)),
        since=ibis.cases((executed, clock.months_since(kept.filing_date))).min(),
        defended=count_hits((kept.role == "defendant") & span.m36.has_date(kept.filing_date)),
        dishonest=ibis.cases((listed, 1.0)).max(),
    )
    firm = per_enterprise(tables, sums)
    return firm.select(
        "uscc",
        jud_unperformed=tables.if_attested(_CATEGORY, firm.unperformed, 0.0),
        jud_exec_cnt_m24=tables.if_attested(_CATEGORY, firm.executions, 0.0),
        jud_months_since_exec=tables.if_attested(_CATEGORY, capped(firm.since), NEVER),
        jud_defendant_cnt_m36=tables.if_attested(_CATEGORY, firm.defended, 0.0),
        jud_dishonest_now=tables.if_attested(_CATEGORY, firm.dishonest, 0.0),
    )
