"""Pledges and guarantees, a table of hits: where attested, no row means none. An entry is in force while its status
says so, it is registered, and its period runs. Guarantees compare with the equity of the latest annual report: without
any the ratio is 0 whatever the equity, and with some but an equity of zero or less it is not applicable."""

from typing import Final

import ibis

from enclave.features.annual_report import latest_report
from enclave.features.tables import Tables, count_hits, no_base, per_enterprise, ratio, total_if
from enclave.features.windows import Clock

_CATEGORY: Final = "pledge_guarantee"


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of(_CATEGORY)
    kept = rows.filter(rows.reg_date <= clock.as_of)
    in_force = (
        (kept.status == "in_force").fill_null(False) & clock.begun(kept.period_from) & clock.unended(kept.period_to)
    )
    sums = kept.group_by("uscc").agg(
        pledged=total_if(in_force & (kept.kind == "equity_pledge"), kept.equity_share),
        secured=total_if(in_force & kept.kind.isin(("chattel_mortgage", "receivable_pledge")), kept.secured_amount),
        guaranteed=total_if(in_force & (kept.kind == "external_guarantee"), kept.secured_amount),
        registered=count_hits(clock.of(_CATEGORY).m12.has_date(kept.reg_date)),
    )
    firm = per_enterprise(tables, sums, latest_report(tables, clock).select("uscc", "equity"))
    guaranteed = tables.if_attested(_CATEGORY, firm.guaranteed, 0.0)
    return firm.select(
        "uscc",
        plg_equity_ratio=tables.if_attested(_CATEGORY, firm.pledged, 0.0),
        plg_secured_open=tables.if_attested(_CATEGORY, firm.secured, 0.0),
        plg_guarantee_to_equity=ibis.cases((guaranteed == 0, 0.0), else_=100.0 * ratio(guaranteed, firm.equity)),
        plg_guarantee_to_equity__na=(guaranteed != 0).fill_null(False) & no_base(firm.equity),
        plg_new_m12=tables.if_attested(_CATEGORY, firm.registered, 0.0),
    )
