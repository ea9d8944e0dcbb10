"""Abnormal-operation and dishonesty lists, a table of hits: where attested, no usable row means never listed. A listing
runs from the day of entry to the day before removal; days on two lists at once count for both."""

from datetime import timedelta
from typing import Final

import ibis

from enclave.features.tables import Tables, count_hits, per_enterprise, total_if
from enclave.features.windows import FAR, NEVER, Clock, capped, usable

_CATEGORY: Final = "abnormal_dishonesty_list"
_SERIOUS: Final = ("serious_illegal", "major_tax", "wage_arrears")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    m36 = clock.of(_CATEGORY).m36
    kept = usable(clock, tables.of(_CATEGORY), _CATEGORY)
    kept = kept.filter(kept.in_date <= clock.as_of)
    listed = ~clock.ended(kept.out_date)
    until = ibis.least(kept.out_date.fill_null(FAR), clock.as_of + timedelta(days=1))
    days = until.delta(ibis.greatest(kept.in_date, m36.first_day), unit="day")
    sums = kept.group_by("uscc").agg(
        listings=count_hits(m36.has_date(kept.in_date)),
        days=total_if(days > 0, days),
        since=ibis.ifelse(listed, 0.0, clock.months_since(kept.out_date)).min(),
        serious=ibis.cases((listed & kept.list_type.isin(_SERIOUS), 1.0)).max(),
    )
    firm = per_enterprise(tables, sums)
    return firm.select(
        "uscc",
        abn_cnt_m36=tables.if_attested(_CATEGORY, firm.listings, 0.0),
        abn_days_m36=tables.if_attested(_CATEGORY, firm.days, 0.0),
        abn_months_since_out=tables.if_attested(_CATEGORY, capped(firm.since), NEVER),
        abn_serious_now=tables.if_attested(_CATEGORY, firm.serious, 0.0),
    )
