"""Farm operators. Where the table is held, an enterprise without a row is no farm operator and not applicable
throughout. Land counts while its contract is valid; a contract without an end is valid, and says nothing of years
left. With no land under contract the remaining term and the insurance cover are not applicable."""

from typing import Final

import ibis

from enclave.features.tables import Tables, levels, no_base, per_enterprise, ratio, total_if
from enclave.features.windows import FAR, Clock, open_end

_CATEGORY: Final = "agri_operator"
_LEVELS: Final = ("none", "county", "city", "province", "national")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    rows = tables.of(_CATEGORY)
    kept = rows.filter(clock.begun(rows.reg_date))
    valid = clock.unended(kept.land_contract_to) & kept.land_area.notnull()
    ends = open_end(kept.land_contract_to)
    dated = valid & (ends < FAR)
    sums = kept.group_by("uscc").agg(
        land=total_if(valid, kept.land_area).fill_null(0.0),
        dated_land=total_if(dated, kept.land_area).fill_null(0.0),
        land_months=total_if(dated, kept.land_area * clock.months_left(ends)),
        insured=total_if(valid, kept.insured_area),
        subsidy=total_if(clock.of(_CATEGORY).m36.has_date(kept.subsidy_date), kept.subsidy_amount).fill_null(0.0),
        level=levels(kept.demo_level, _LEVELS).max(),
    )
    operators = rows.select("uscc").distinct().mutate(operator=True)
    firm = per_enterprise(tables, operators, sums)
    none = firm.operator.isnull()
    return firm.select(
        "uscc",
        agr_land_area=firm.land,
        agr_land_area__na=none,
        agr_contract_years_left=ratio(firm.land_months, firm.dated_land) / 12.0,
        agr_contract_years_left__na=none | no_base(firm.dated_land),
        agr_insurance_cover=100.0 * ratio(firm.insured, firm.land),
        agr_insurance_cover__na=none | no_base(firm.land),
        agr_subsidy_m36=firm.subsidy,
        agr_subsidy_m36__na=none,
        agr_demo_level=firm.level,
        agr_demo_level__na=none,
    )
