"""Synthetic registration, real estate, pledges and guarantees."""

from typing import Final

import numpy as np
from numpy.random import Generator

from clients.city import industries
from clients.city.identity import ENT_TYPES, REGIONS, SOLE_TRADER
from clients.city.latents import STATUSES, Firms, is_small_trader
from clients.city.rows import Coded, Rows, choose, events, money, numbered, pick, serial, sigmoid
from clients.city.timeline import NEVER, OPEN_2099, OPEN_9999, Bools, Dates, Floats, Ints, days

_CHANGES: Final = ("none", "legal_rep", "holder_25", "address", "other")
_CAPITALS: Final = np.array([3.0, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 3000, 5000, 10000, 20000])
_LAND, _BUILDING = 0, 1


def past_dates(rng: Generator, firms: Firms, firm: Ints, horizon_days: int) -> Dates:
    """Days between founding (or the horizon, if later) and as_of, evenly spread; one an entry of `firm`."""
    age = (firms.timeline.as_of - firms.founded[firm]).astype(np.int64)
    back = rng.random(len(firm)) * np.minimum(age, horizon_days)
    dates: Dates = (firms.timeline.as_of - days(back)).astype("datetime64[D]")
    return dates


def open_end(rng: Generator, ends: Dates, share: float) -> Dates:
    """Replaces a share of the end dates by 9999-12-31 or 2099-12-31, as holders write "no end"."""
    draw = rng.random(len(ends))
    replaced = np.where(draw < share / 2, OPEN_9999, np.where(draw < share, OPEN_2099, ends))
    return replaced.astype("datetime64[D]")


def enterprise_registration(firms: Firms, rng: Generator) -> Rows:
    """The entry at founding and one row a change since; every row repeats the state of the whole entry."""
    rate = 0.09 * np.exp(np.clip(0.40 * firms.strain_now, -2, 2)) * np.where(firms.kind == SOLE_TRADER, 0.4, 1.0)
    age = (firms.timeline.as_of - firms.founded).astype(np.float64) / 365.25
    changed = events(rng, rate * np.minimum(age, 10.0))
    first = np.arange(firms.count)
    firm = np.concatenate([first, changed])
    kind = pick(rng, len(changed), _CHANGES, (0.0, 0.22, 0.18, 0.28, 0.32))
    when = past_dates(rng, firms, changed, 3650)
    ready = np.concatenate([firms.founded, when])
    capital = _CAPITALS[np.clip(_rank(rng, firms), 0, len(_CAPITALS) - 1)]
    paid = _paid_in(rng, firms)
    alone = (firms.kind == SOLE_TRADER) | (rng.random(firms.count) < 0.35)
    holders = np.where(alone, 1, 2 + rng.poisson(0.8, firms.count))
    top = np.where(alone, 100.0, np.round(np.clip(rng.beta(5, 3, firms.count) * 100, 100 / holders, 99), 2))
    until = open_end(rng, firms.founded + days(rng.choice([10, 20, 30, 50], firms.count) * 365), 0.55)
    return Rows(
        firm, ready, ready,
        {
            "ent_name": firms.name.take(firm),
            "ent_type": Coded(firms.kind[firm], ENT_TYPES),
            "reg_status": Coded(firms.status[firm], STATUSES),
            "est_date": firms.founded[firm],
            "reg_capital": capital[firm],
            "paid_in_capital": money(capital * paid)[firm],
            "industry_code": Coded(firms.industry[firm], industries.CODES),
            "region_code": Coded(firms.region[firm], REGIONS),
            "op_period_to": until[firm],
            "change_item": Coded(np.concatenate([np.zeros_like(first), kind.codes]), _CHANGES),
            "change_date": np.concatenate([np.full(firms.count, NEVER), when]),
            "shareholder_cnt": holders[firm],
            "top_holder_share": top[firm],
        },
    )  # fmt: skip


def _rank(rng: Generator, firms: Firms) -> Ints:
    """Position in the list of round capital sums; grows with the business."""
    level = np.log10(firms.revenue / 1e4) * 2.6 - 1.0 - 0.15 * firms.strain_now + rng.normal(0, 1.6, firms.count)
    small = np.where(firms.kind == SOLE_TRADER, level - 3.0, level)
    return np.rint(small).astype(np.int64)


def _paid_in(rng: Generator, firms: Firms) -> Floats:
    """Share of the capital paid in: often nothing, often all."""
    share = np.clip(rng.normal(0.55 - 0.10 * firms.strain_now, 0.45, firms.count), 0.0, 1.0)
    return np.where(rng.random(firms.count) < 0.05, np.nan, np.round(share, 2))


def _owners(rng: Generator, firms: Firms) -> Ints:
    """The owner of each unit, sorted."""
    share = np.array([0.05, 0.22, 0.55, 0.85])[firms.size] * np.where(is_small_trader(firms), 0.4, 1.0)
    return events(rng, np.where(rng.random(firms.count) < share, 1.5 + 0.8 * firms.size, 0.0))


def real_estate(firms: Firms, rng: Generator) -> Rows:
    """Land and buildings in force or cancelled, mortgages, seizures; most micro enterprises rent."""
    firm = _owners(rng, firms)
    count = len(firm)
    right = np.where((serial(firm) == 0) & industries.MAKING[firms.industry[firm]], _LAND, _BUILDING)
    scale = firms.staff[firm, -1] * np.where(right == _LAND, 90.0, 45.0)
    area = np.round(np.maximum(30.0, scale * np.exp(rng.normal(0, 0.7, count))), 1)
    registered = past_dates(rng, firms, firm, 5500)
    in_force = rng.random(count) < 0.92
    mortgaged = in_force & (rng.random(count) < sigmoid(-0.4 + 0.6 * firms.leverage[firm]))
    borrowed = money(area * np.where(right == _LAND, 0.03, 0.28) * rng.uniform(0.3, 0.7, count))
    start = (registered + days(rng.random(count) * (firms.timeline.as_of - registered).astype(np.int64))).astype(
        "datetime64[D]"
    )
    end = start + days(rng.choice([365, 730, 1095, 1825, 3650], count))
    seized = in_force & (rng.random(count) < sigmoid(-5.0 + 1.2 * firms.strain_now[firm]))
    seized_on = np.where(seized, past_dates(rng, firms, firm, 700), NEVER).astype("datetime64[D]")
    seized_on = np.where(seized, np.maximum(seized_on, registered), NEVER).astype("datetime64[D]")
    ready = np.fmax(np.where(mortgaged, start, registered), seized_on).astype("datetime64[D]")
    usage = np.where(industries.MAKING[firms.industry[firm]], 0, rng.choice([1, 2, 3], count, p=(0.5, 0.35, 0.15)))
    return Rows(
        firm, ready, ready,
        {
            "unit_no": numbered("3207", rng.integers(10**14, 10**15, count), 24),
            "cert_no": numbered("苏连不动产权第", rng.integers(10**6, 10**7, count), 7),
            "right_type": Coded(right, ("land", "building")),
            "right_nature": pick(rng, count, ("granted", "allocated", "market"), (0.6, 0.1, 0.3)),
            "usage": Coded(usage, ("industrial", "commercial", "office", "other")),
            "area": area,
            "term_to": registered + days(rng.choice([40, 50, 70], count) * 365),
            "reg_date": registered,
            "status": choose(in_force, "in_force", "cancelled"),
            "mortgage_amount": np.where(mortgaged, borrowed, 0.0),
            "mortgage_from": np.where(mortgaged, start, NEVER).astype("datetime64[D]"),
            "mortgage_to": np.where(mortgaged, end, NEVER).astype("datetime64[D]"),
            "seizure": seized,
            "seizure_date": seized_on,
        },
    )  # fmt: skip


def pledge_guarantee(firms: Firms, rng: Generator) -> Rows:
    """Registered pledges, chattel mortgages, receivables and guarantees of the last six years; hits only."""
    reach = np.array([0.05, 0.22, 0.6, 1.2])[firms.size] * np.where(is_small_trader(firms), 0.3, 1.0)
    firm = events(rng, 2.4 * reach * np.exp(np.clip(0.45 * firms.leverage + 0.35 * firms.strain_now, -2, 2)))
    count = len(firm)
    kind = rng.choice(4, count, p=(0.22, 0.36, 0.22, 0.20)).astype(np.int64)
    registered = past_dates(rng, firms, firm, 2190)
    ends = registered + days(rng.choice([365, 730, 1095, 1825], count))
    over = (ends < firms.timeline.as_of) & (rng.random(count) < 0.9)
    early = ~over & (rng.random(count) < 0.10)
    amount = np.maximum(5.0, firms.revenue[firm] / 1e4 * np.exp(rng.normal(-2.2, 0.9, count)))
    share = np.round(np.clip(rng.beta(2, 2, count) * 60, 1, 100), 2)
    equity: Bools = kind == 0
    return Rows(
        firm, registered, registered,
        {
            "reg_no": numbered("PG", rng.integers(10**9, 10**10, count), 12),
            "kind": Coded(kind, ("equity_pledge", "chattel_mortgage", "receivable_pledge", "external_guarantee")),
            "role": choose(kind == 3, "guarantor", "pledgor"),
            "secured_amount": money(amount),
            "equity_share": np.where(equity, share, np.nan),
            "reg_date": registered,
            "period_from": registered,
            "period_to": open_end(rng, ends, 0.03),
            "status": choose(over | early, "released", "in_force"),
            "creditor_class": pick(rng, count, ("bank", "non_bank", "other"), (0.68, 0.22, 0.10)),
        },
    )  # fmt: skip
