"""Real estate. A right counts while in force: registered by `as_of`, neither cancelled nor past its term. Land and
building are rights of their own, and their areas both count.

Whether a firm without a row owns nothing, or its rights are registered elsewhere, the register does not attest: such a
firm is missing, not zero and not "not applicable". A firm all of whose rights have ended owns nothing, and the free
share of nothing is not applicable.
"""

import ibis

from enclave.features.tables import Tables, count_if, no_base, per_enterprise, ratio, total_if
from enclave.features.windows import Clock


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("real_estate")
    held = rows.filter(clock.begun(rows.reg_date))
    owned = (held.status == "in_force").fill_null(False) & clock.unended(held.term_to)
    mortgaged = (
        owned
        & (held.mortgage_amount > 0).fill_null(False)
        & clock.begun(held.mortgage_from)
        & clock.unended(held.mortgage_to)
    )
    seized = owned & held.seizure.fill_null(False) & clock.begun(held.seizure_date)
    sums = held.group_by("uscc").agg(
        rights=held.count(),
        area=total_if(owned, held.area),
        free=total_if(owned & ~mortgaged & ~seized, held.area),
        mortgage=total_if(mortgaged, held.mortgage_amount),
        seizures=count_if(seized),
    )
    firm = per_enterprise(tables, sums)
    known = firm.rights.notnull()
    area = ibis.cases((known, firm.area.fill_null(0.0)))
    return firm.select(
        "uscc",
        re_area_owned=area,
        re_free_ratio=100.0 * ratio(firm.free.fill_null(0.0), firm.area),
        re_free_ratio__na=no_base(area),
        re_mortgage_amount=ibis.cases((known, firm.mortgage.fill_null(0.0))),
        re_seizure_cnt=firm.seizures,
    )
