"""Registration: age, capital, key changes. Every enterprise is registered, so nothing is ever not applicable but a
ratio to a registered capital of zero. One row repeats the base data with each change; an enterprise without a row is
missing throughout."""

from typing import Final

import ibis

from enclave.features.tables import Tables, count_if, latest, no_base, per_enterprise, ratio
from enclave.features.windows import Clock

_KEY_CHANGES: Final = ("legal_rep", "holder_25", "address")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("enterprise_registration")
    m24 = clock.of("enterprise_registration").m24
    capital = latest(rows.filter(rows.reg_capital.notnull()), ("uscc",), "data_month")
    capital = capital.select("uscc", "reg_capital", paid_in=capital.paid_in_capital.cast("float64"))
    history = rows.group_by("uscc").agg(
        age=clock.months_since(rows.est_date).max(),
        changes=count_if(rows.change_item.isin(_KEY_CHANGES) & m24.has_date(rows.change_date)),
        rep=ibis.cases((rows.change_item == "legal_rep", clock.months_since(rows.change_date))).min(),
    )
    firm = per_enterprise(tables, capital.mutate(reg_capital=capital.reg_capital.cast("float64")), history)
    return firm.select(
        "uscc",
        reg_age_months=firm.age,
        reg_paid_in_ratio=100.0 * ratio(firm.paid_in, firm.reg_capital),
        reg_paid_in_ratio__na=no_base(firm.reg_capital),
        reg_capital_wan=firm.reg_capital,
        reg_key_change_cnt_m24=firm.changes,
        reg_months_since_rep_change=ibis.coalesce(firm.rep, firm.age),
    )
