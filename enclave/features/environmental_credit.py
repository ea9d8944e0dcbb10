"""Environmental credit. Only some firms are rated: where the table is held, an enterprise without a row is not
applicable throughout. For a rated firm no deduction is 0 points and 120 months. A score counts while its rating is
valid. Repaired events, and those whose publicity has ended, do not count, nor does the rating they led to."""

from typing import Final

import ibis

from enclave.features.tables import Tables, latest, levels, per_enterprise, total_if
from enclave.features.windows import NEVER, Clock, capped, usable

_CATEGORY: Final = "environmental_credit"
_COLOURS: Final = ("black", "red", "yellow", "blue", "green")


def build(tables: Tables, clock: Clock) -> ibis.Table:
    m24, m36 = clock.of(_CATEGORY).m24, clock.of(_CATEGORY).m36
    rows = tables.of(_CATEGORY)
    kept = usable(clock, rows, _CATEGORY)
    newest = latest(kept.filter(kept.score12.notnull(), kept.eval_date <= clock.as_of), ("uscc",), "eval_date")
    score = newest.filter(clock.unended(newest.valid_to)).select("uscc", score=newest.score12.cast("float64"))
    deducted = (kept.event_type == "deduction") & (kept.deduct_points > 0)
    sums = kept.group_by("uscc").agg(
        points=total_if(deducted & m24.has_date(kept.event_date), kept.deduct_points),
        since=ibis.cases((deducted, clock.months_since(kept.event_date))).min(),
        worst=ibis.cases((m36.has_date(kept.eval_date), levels(kept.colour, _COLOURS))).min(),
    )
    rated = rows.select("uscc").distinct().mutate(rated=True)
    firm = per_enterprise(tables, rated, score, sums)
    unrated = firm.rated.isnull()
    return firm.select(
        "uscc",
        env_score=firm.score,
        env_score__na=unrated,
        env_deduct_m24=ibis.cases((firm.rated, firm.points.fill_null(0.0))),
        env_deduct_m24__na=unrated,
        env_months_since_deduct=ibis.cases((firm.rated, capped(firm.since.fill_null(NEVER)))),
        env_months_since_deduct__na=unrated,
        env_worst_colour_m36=firm.worst,
        env_worst_colour_m36__na=unrated,
    )
