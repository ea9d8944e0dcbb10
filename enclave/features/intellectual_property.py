"""Intellectual property, a table of hits: where attested, no row means no right. A right is valid while its status says
so and it has not expired. The pledged share of no valid right is not applicable."""

import ibis

from enclave.features.tables import Tables, count_hits, per_enterprise, ratio
from enclave.features.windows import Clock


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of("intellectual_property")
    m36 = clock.of("intellectual_property").m36
    valid = (
        (rows.legal_status == "valid").fill_null(False) & clock.begun(rows.grant_date) & clock.unended(rows.expiry_date)
    )
    weight = ibis.cases((rows.ip_type == "invention", 5), (rows.ip_type == "utility_model", 2), else_=1)
    sums = rows.group_by("uscc").agg(
        valid=count_hits(valid),
        inventions=count_hits(valid & (rows.ip_type == "invention")),
        score=ibis.cases((valid, weight)).sum().cast("float64"),
        grants=count_hits(m36.has_date(rows.grant_date)),
        pledged=count_hits(valid & (rows.pledge_status == "pledged")),
    )
    firm = per_enterprise(tables, sums)

    def known(column: ibis.Value) -> ibis.Value:
        return tables.if_attested("intellectual_property", column, 0.0)

    return firm.select(
        "uscc",
        ip_invention_valid=known(firm.inventions),
        ip_score=known(firm.score),
        ip_grant_m36=known(firm.grants),
        ip_pledged_ratio=100.0 * ratio(known(firm.pledged), firm.valid),
        ip_pledged_ratio__na=(known(firm.valid) == 0).fill_null(False),
    )
