"""Synthetic intellectual property, innovation titles, honours and policy support: mostly good news, hits only."""

from typing import Final

import numpy as np
from numpy.random import Generator

from clients.city import industries
from clients.city.latents import Firms, is_small_trader
from clients.city.registry import past_dates
from clients.city.rows import Coded, Rows, events, joined, money, numbered, pick, stack, texts
from clients.city.timeline import NEVER, Floats, days, year_of
from clients.city.timeline import day_of_year as on_day

_IP_TYPES: Final = ("invention", "utility_model", "design", "trademark", "software", "plant_variety")
_IP_YEARS: Final = np.array([20, 10, 15, 10, 50, 15])
_TITLES: Final = ("high_tech", "tech_sme", "innovative_sme", "specialised", "little_giant", "rd_centre")
_TITLE_YEARS: Final = np.array([3, 1, 3, 3, 3, 3])
_TITLE_LEVELS: Final = np.array([0, 1, 1, 1, 0, 2])
_HONOURS: Final = ("守合同重信用企业", "市长质量奖", "文明诚信企业", "高质量发展先进企业", "和谐劳动关系企业")
_LEVELS: Final = ("national", "province", "city", "county")
_ORGANS: Final = ("国家部委", "省级机关", "市级机关", "县区机关")


def _drive(firms: Firms) -> Floats:
    """Expected rights or titles of an enterprise, up to a factor."""
    drive: Floats = (
        industries.TECH[firms.industry]
        * np.array([0.25, 1.0, 3.0, 8.0])[firms.size]
        * np.exp(-0.30 * np.clip(firms.strain_now, -2.5, 2.5))
        * np.where(is_small_trader(firms), 0.1, 1.0)
    )
    return drive


def intellectual_property(firms: Firms, rng: Generator) -> Rows:
    """Rights granted in the last twelve years; some lapsed, some pledged."""
    spread = np.exp(rng.normal(0, 0.9, firms.count))
    firm = events(rng, np.maximum(0.03, 1.3 * _drive(firms)) * spread)
    count = len(firm)
    kind = rng.choice(6, count, p=(0.14, 0.40, 0.10, 0.22, 0.13, 0.01)).astype(np.int64)
    granted = past_dates(rng, firms, firm, 4380)
    applied = granted - days(rng.integers(90, 900, count))
    status = np.where(rng.random(count) < 0.10, 1, np.where(rng.random(count) < 0.01, 2, 0))
    pledged = (status == 0) & (rng.random(count) < 0.05 * np.exp(np.clip(0.4 * firms.leverage[firm], -1, 1)))
    released = pledged & (rng.random(count) < 0.35)
    pledge_no = numbered("Y", rng.integers(10**9, 10**10, count), 12)
    return Rows(
        firm, granted, granted,
        {
            "ip_type": Coded(kind, _IP_TYPES),
            "reg_no": numbered("ZL", rng.integers(10**10, 10**11, count), 12),
            "app_date": applied,
            "grant_date": granted,
            "expiry_date": granted + days(_IP_YEARS[kind] * 365),
            "legal_status": Coded(status.astype(np.int64), ("valid", "lapsed", "revoked")),
            "pledge_no": Coded(np.where(pledged, np.arange(count), -1), tuple(pledge_no.to_pylist()) or ("",)),
            "pledge_amount": np.where(pledged, np.round(rng.uniform(20, 500, count), 0), np.nan),
            "pledge_status": Coded(np.select([released, pledged], [2, 1], 0), ("none", "pledged", "released")),
            "publish_date": granted,
        },
    )  # fmt: skip


def _titles(firms: Firms, rng: Generator) -> Rows:
    firm = events(rng, 0.55 * _drive(firms) ** 0.8)
    count = len(firm)
    kind = rng.choice(6, count, p=(0.24, 0.36, 0.16, 0.13, 0.03, 0.08)).astype(np.int64)
    issued = past_dates(rng, firms, firm, 1460)
    return Rows(
        firm, issued, issued,
        {
            "title_type": Coded(kind, _TITLES),
            "cert_no": numbered("GR", rng.integers(10**9, 10**10, count), 12),
            "issue_date": issued,
            "valid_to": issued + days(_TITLE_YEARS[kind] * 365),
            "level": Coded(_TITLE_LEVELS[kind], ("national", "province", "city")),
            "year": year_of(issued).astype(np.float64),
            "rd_expense": np.full(count, np.nan),
            "rd_staff": np.full(count, np.nan),
        },
    )  # fmt: skip


def _research(firms: Firms, rng: Generator) -> Rows:
    """The yearly research statistics of enterprises that take part in them."""
    takes_part = rng.random(firms.count) < np.minimum(0.9, 0.28 * _drive(firms))
    last = int(year_of(np.array([firms.timeline.as_of]))[0]) - 1
    years = last - np.arange(2, -1, -1)
    firm, position = np.nonzero(takes_part[:, None] & (year_of(firms.founded)[:, None] <= years))
    year, count = years[position], len(firm)
    part = (0.012 + 0.012 * industries.TECH[firms.industry]) * np.exp(rng.normal(0, 0.5, firms.count))
    trend = np.exp((firms.growth[firm] - 0.03 * firms.strain_now[firm]) * (year - last) + rng.normal(0, 0.2, count))
    reported = on_day(year + 1, 3) + days(rng.integers(0, 40, count))
    return Rows(
        firm, on_day(year, 12), reported,
        {
            "title_type": Coded(np.full(count, -1), _TITLES),
            "cert_no": numbered("TJ", rng.integers(10**9, 10**10, count), 12),
            "issue_date": np.full(count, NEVER),
            "valid_to": np.full(count, NEVER),
            "level": Coded(np.full(count, -1), ("national",)),
            "year": year.astype(np.float64),
            "rd_expense": money(firms.revenue[firm] / 1e4 * part[firm] * trend),
            "rd_staff": np.maximum(1.0, np.rint(firms.staff[firm, -1] * 0.08 * trend)),
        },
    )  # fmt: skip


def sci_tech_innovation(firms: Firms, rng: Generator) -> Rows:
    """Titles on issue and research statistics by year, which the category's table holds as rows of two kinds."""
    return stack(_titles(firms, rng), _research(firms, rng))


def honor_policy_support(firms: Firms, rng: Generator) -> Rows:
    """An honour, a sum of support, or both, over six years."""
    reach = np.array([0.25, 0.8, 2.0, 4.0])[firms.size] * (0.6 + 0.4 * industries.TECH[firms.industry])
    firm = events(rng, reach * np.exp(np.clip(-0.35 * firms.strain_now, -2, 2) + rng.normal(0, 0.6, firms.count)))
    count = len(firm)
    level = rng.choice(4, count, p=(0.02, 0.13, 0.40, 0.45)).astype(np.int64)
    when = past_dates(rng, firms, firm, 2190)
    supported = rng.random(count) < 0.55
    kind = pick(rng, count, ("none", "subsidy", "discount_interest", "guarantee", "tax_relief"), (0, 5, 2, 1, 2))
    amount = firms.revenue[firm] / 1e4 * np.exp(rng.normal(-5.2, 1.0, count))
    organ = texts(Coded(level, _ORGANS))
    names = texts(pick(rng, count, _HONOURS, (3, 1, 3, 2, 2)))
    return Rows(
        firm, when, when,
        {
            "honor_name": joined(names, numbered("(", year_of(when), 4), ")"),
            "level": Coded(level, _LEVELS),
            "grant_date": when,
            "valid_to": when + days(rng.choice([2, 3, 5], count) * 365),
            "grantor": organ,
            "support_type": Coded(np.where(supported, kind.codes, 0), kind.values),
            "support_amount": money(np.where(supported, np.clip(amount, 0.2, 800), 0.0)),
            "support_date": np.where(supported, when, NEVER).astype("datetime64[D]"),
        },
    )  # fmt: skip
