"""Synthetic customs records, farm operators and environmental credit: categories that concern only some enterprises."""

from typing import Final

import numpy as np
from numpy.random import Generator

from clients.city import industries
from clients.city.identity import COOPERATIVE, SOLE_TRADER
from clients.city.latents import Firms
from clients.city.registry import open_end, past_dates
from clients.city.rows import Coded, Rows, constant, events, money, numbered, sigmoid
from clients.city.timeline import NEVER, Dates, Floats, Ints, days

_CUSTOMS_GRADES: Final = ("seriously_dishonest", "dishonest", "regular", "certified", "advanced_certified")
_OPERATORS: Final = ("cooperative", "family_farm", "leading_enterprise", "service_organisation")
_COLOURS: Final = ("black", "red", "yellow", "blue", "green")
_COLOUR_FLOORS: Final = np.array([1, 3, 6, 11])
"""Lowest score of red, yellow, blue and green: Jiangsu's interim measures on enterprise environmental credit."""
_START_SCORE: Final = 9


def customs_trade(firms: Firms, rng: Generator) -> Rows:
    """A row each month since registration with customs, with zeros in idle months; others have none."""
    share = industries.TRADE_SHARE[firms.industry] * np.array([0.5, 1.2, 1.8, 2.4])[firms.size]
    concerned = (rng.random(firms.count) < share) & (firms.kind != SOLE_TRADER)
    registered = (firms.founded + days(rng.integers(20, 900, firms.count))).astype("datetime64[D]")
    firm, month = np.nonzero(firms.alive & concerned[:, None] & (firms.timeline.ends >= registered[:, None]))
    count = len(firm)
    busy = rng.random(firms.count) * 0.8 + 0.2 - 0.06 * firms.strain_now
    active = rng.random(count) < busy[firm]
    part = np.clip(rng.beta(2, 3, firms.count), 0.02, 0.95)
    value = np.where(active, firms.sales[firm, month] * part[firm] * np.exp(rng.normal(0, 0.5, count)), 0.0)
    outward = np.where(rng.random(firms.count) < 0.7, rng.beta(6, 1, firms.count), rng.beta(1, 5, firms.count))[firm]
    level = -0.45 * firms.strain_now + 0.45 * firms.size + rng.normal(0, 1, firms.count)
    grade = np.searchsorted([-3.4, -2.6, 1.7, 2.5], level).astype(np.int64)
    owing = rng.random(count) < 0.002 * np.exp(np.clip(firms.strain[firm, month], -2, 3))
    return Rows(
        firm, firms.timeline.months[month], firms.timeline.ends[month],
        {
            "customs_reg_no": numbered("3207", rng.integers(10**5, 10**6, firms.count)[firm], 6),
            "reg_date": registered[firm],
            "grade": Coded(grade[firm], _CUSTOMS_GRADES),
            "period_ym": firms.timeline.codes[month],
            "export_value": money(value * outward),
            "import_value": money(value * (1 - outward)),
            "declaration_cnt": np.where(active, 1 + rng.poisson(np.minimum(value / 4e5, 200.0)), 0),
            "duty_arrears": money(np.where(owing, value * 0.05, 0.0)),
            "penalty_cnt": rng.poisson(0.004 * np.exp(np.clip(0.5 * firms.strain[firm, month], -2, 2))),
        },
    )  # fmt: skip


def _scores(firms: Firms, firm: Ints, when: Dates, deducted: Ints) -> Ints:
    """Score after each event: nine at the start, points off, and points back after a clean year; sorted by firm."""
    gap = np.r_[0, np.diff(when.astype(np.int64))]
    same = np.r_[False, firm[1:] == firm[:-1]]
    scores = np.empty(len(firm), dtype=np.int64)
    value = np.zeros(firms.count, dtype=np.int64)
    place = np.arange(len(firm)) - np.maximum.accumulate(np.where(same, 0, np.arange(len(firm))))
    value[:] = _START_SCORE
    for nth in range(int(place.max(initial=-1)) + 1):
        rows = np.flatnonzero(place == nth)
        healed = np.where(same[rows] & (gap[rows] > 365), 1, 0)
        value[firm[rows]] = np.minimum(12, value[firm[rows]] + healed - deducted[rows])
        scores[rows] = value[firm[rows]]
    return scores


def environmental_credit(firms: Firms, rng: Generator) -> Rows:
    """Yearly ratings and, between them, deductions of one to twelve points; only enterprises under rating."""
    rated = rng.random(firms.count) < industries.RATED[firms.industry]
    age = (firms.timeline.as_of - firms.founded).astype(np.float64) / 365.25
    ratings = events(rng, np.where(rated, 0.9 * np.minimum(age, 5.0), 0.0))
    first = np.flatnonzero(rated)
    rate = 0.10 * np.exp(np.clip(0.65 * firms.strain_now, -2.5, 2.5) + rng.normal(0, 0.5, firms.count))
    hits = events(rng, np.where(rated, rate * np.minimum(age, 5.0), 0.0))
    firm = np.concatenate([first, ratings, hits])
    deduction = np.repeat([False, True], [len(first) + len(ratings), len(hits)])
    when = past_dates(rng, firms, firm, 1825)
    order = np.lexsort((when, firm))
    firm, deduction, when = firm[order], deduction[order], when[order]
    points = np.where(deduction, 1 + np.minimum(rng.geometric(0.45, len(firm)), 11), 0)
    score = _scores(firms, firm, when, points)
    bonus = np.where(rng.random(firms.count) < sigmoid(-0.8 - 0.5 * firms.strain_now), 2, 0)[firm]
    score = np.minimum(12, score + bonus)
    repaired = deduction & (rng.random(len(firm)) < 0.2)
    permit_end = open_end(rng, firms.timeline.as_of + days(rng.integers(-120, 1800, firms.count)), 0.1)
    ends = when + days(np.where(points >= 6, 1095, 365))
    return Rows(
        firm, when, when,
        {
            "score12": score,
            "colour": Coded(np.searchsorted(_COLOUR_FLOORS, score, side="right").astype(np.int64), _COLOURS),
            "eval_date": when,
            "valid_to": when + np.timedelta64(365, "D"),
            "organ": constant("市生态环境局", len(firm)),
            "event_type": Coded(deduction.astype(np.int64), ("rating", "deduction", "restoration")),
            "deduct_points": points,
            "event_date": when,
            "discharge_permit_to": permit_end[firm],
            "publicity_end": np.where(deduction, ends, NEVER).astype("datetime64[D]"),
            "repaired": repaired,
        },
    )  # fmt: skip


def agri_operator(firms: Firms, rng: Generator) -> Rows:
    """One row a land contract of each farm operator, with its area insured and its last subsidy; others have none."""
    farming = np.isin(firms.industry, industries.FARMING)
    concerned = (firms.kind == COOPERATIVE) | (farming & (rng.random(firms.count) < 0.6))
    contracts = np.where(concerned & firms.alive[:, -1], 1 + rng.poisson(1.2, firms.count), 0)
    firm = np.repeat(np.arange(firms.count), contracts)
    count = len(firm)
    kind = np.where(firms.kind == COOPERATIVE, 0, rng.choice([1, 2, 3], firms.count, p=(0.55, 0.25, 0.2)))
    area = np.round(np.exp(rng.normal(4.6, 0.9, firms.count)[firm] + rng.normal(0, 0.5, count)), 1)
    cover = np.clip(rng.normal(0.55 - 0.10 * firms.strain_now, 0.3, firms.count), 0.0, 1.0)
    insured: Floats = np.round(area * cover[firm], 1)
    level = -0.5 * firms.strain_now + rng.normal(0, 1, firms.count)
    signed = past_dates(rng, firms, firm, 1800)
    ends = open_end(rng, signed + days(rng.choice([3, 5, 10, 15, 20], count) * 365), 0.05)
    subsidised = rng.random(count) < 0.6
    since_signed = (firms.timeline.as_of - signed).astype(np.int64)
    subsidy_date = firms.timeline.as_of - days(rng.random(count) * np.minimum(since_signed, 1000))
    subsidy_date = np.where(subsidised, subsidy_date, NEVER).astype("datetime64[D]")
    ready = np.fmax(signed, subsidy_date)
    return Rows(
        firm, ready, ready,
        {
            "operator_type": Coded(kind.astype(np.int64)[firm], _OPERATORS),
            "demo_level": Coded(
                np.searchsorted([0.6, 1.2, 1.8, 2.5], level).astype(np.int64)[firm],
                ("none", "county", "city", "province", "national"),
            ),
            "land_area": area,
            "land_contract_to": ends,
            "main_product": Coded(
                rng.integers(0, 6, firms.count)[firm], ("grain", "vegetable", "fruit", "aquatic", "livestock", "other")
            ),
            "insured_area": insured,
            "insured_amount": money(insured * 0.06),
            "subsidy_amount": money(np.where(subsidised, area * 0.012 * rng.uniform(0.3, 2.0, count), 0.0)),
            "subsidy_date": subsidy_date,
            "reg_date": firms.founded[firm],
        },
    )  # fmt: skip
