"""Permits (双公示 XK), a table of hits: where attested, no row means no permit.

Operating permits are ordinary ones, franchises and approvals of qualification (Administrative Permit Law, Art. 12 (1)
to (3)): without one the firm may not carry on the activity. Permits of one enterprise with the same certificate name
renew each other, and only the last end counts. A permit that ended more than twelve months ago no longer concerns the
firm. The table states no date of revocation, so a revoked permit falls into the month its record is about. Least
remaining validity without any operating permit is not applicable; a negative one is a permit lapsed without renewal.
"""

from typing import Final

import ibis

from enclave.features.tables import Tables, count_hits, per_enterprise
from enclave.features.windows import Clock, open_end

_CATEGORY: Final = "administrative_permit"
_OPERATING: Final = ("ordinary", "franchise", "approval")


def _operating(granted: ibis.Table, clock: Clock) -> ibis.Table:
    """(uscc, least_left, lapsed): over operating permits that ended in m12 or have not ended."""
    m12 = clock.of(_CATEGORY).m12
    kept = granted.filter(granted.xk_xklb.isin(_OPERATING), granted.xk_zt == "in_force")
    named = kept.mutate(certificate=ibis.coalesce(kept.xk_xkzs, kept.xk_xkbh, kept.record_id))
    ends = named.group_by("uscc", "certificate").agg(ends=open_end(named.xk_yxqzi).max())
    current = ends.filter(ends.ends >= m12.first_day)
    return current.group_by("uscc").agg(
        least_left=clock.months_left(current.ends).min(), lapsed=count_hits(current.ends < clock.as_of)
    )


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of(_CATEGORY)
    span = clock.of(_CATEGORY)
    granted = rows.filter(rows.xk_jdrq <= clock.as_of)
    valid = (granted.xk_zt == "in_force") & clock.begun(granted.xk_yxqz) & clock.unended(granted.xk_yxqzi)
    revoked = (granted.xk_zt == "revoked") & granted.xk_xklb.isin(_OPERATING) & span.m12.has_ym(granted.data_month)
    sums = granted.group_by("uscc").agg(
        valid=count_hits(valid), decided=count_hits(span.m36.has_date(granted.xk_jdrq)), revoked=count_hits(revoked)
    )
    firm = per_enterprise(tables, sums, _operating(granted, clock))
    ended = ibis.coalesce(firm.lapsed + firm.revoked, firm.lapsed, firm.revoked)
    attested = ibis.literal(tables.attests(_CATEGORY))
    return firm.select(
        "uscc",
        per_valid_cnt=tables.if_attested(_CATEGORY, firm.valid, 0.0),
        per_min_months_left=firm.least_left,
        per_min_months_left__na=firm.least_left.isnull() & attested,
        per_new_m36=tables.if_attested(_CATEGORY, firm.decided, 0.0),
        per_lapsed_m12=tables.if_attested(_CATEGORY, ended, 0.0),
    )
