"""Penalties (双公示 CF), a table of hits: where attested, no usable row means no penalty.

A penalty counts from its decision until it is repaired or its publicity ends, at the latest when the longest period of
its severity is over (the catalogue's rules). A penalty without a stated severity is weighed as general.
"""

from typing import Final

import ibis

from enclave.features.tables import Tables, count_hits, per_enterprise, total_if
from enclave.features.windows import NEVER, Clock, capped, usable

_CATEGORY: Final = "administrative_penalty"


def build(tables: Tables, clock: Clock) -> ibis.Table:
    span = clock.of(_CATEGORY)
    kept = usable(clock, tables.of(_CATEGORY), _CATEGORY)
    kept = kept.filter(kept.cf_jdrq <= clock.as_of)
    in_m36 = span.m36.has_date(kept.cf_jdrq)
    weight = ibis.cases((kept.severity == "minor", 0), (kept.severity == "serious", 5), else_=1)
    sums = kept.group_by("uscc").agg(
        decided=count_hits(span.m12.has_date(kept.cf_jdrq)),
        amount=total_if(in_m36, kept.cf_nr_fk.fill_null(0) + kept.cf_nr_wfff.fill_null(0)),
        severity=total_if(in_m36, weight),
        since=clock.months_since(kept.cf_jdrq).min(),
    )
    firm = per_enterprise(tables, sums)
    return firm.select(
        "uscc",
        pen_cnt_m12=tables.if_attested(_CATEGORY, firm.decided, 0.0),
        pen_amount_m36=tables.if_attested(_CATEGORY, firm.amount, 0.0),
        pen_severity_m36=tables.if_attested(_CATEGORY, firm.severity, 0.0),
        pen_months_since=tables.if_attested(_CATEGORY, capped(firm.since), NEVER),
    )
