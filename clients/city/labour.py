"""Synthetic social insurance and housing fund payments."""

from typing import Final

import numpy as np
from numpy.random import Generator
from xinyidai.catalogue import builtin_catalogue

from clients.city.identity import BRANCH, COOPERATIVE, SOLE_TRADER
from clients.city.latents import Firms
from clients.city.payments import habits, known_on, settle
from clients.city.rows import Coded, Rows, constant, money, numbered
from clients.city.timeline import NEVER, Floats, Ints

_INSURANCES: Final = ("pension", "medical", "unemployment", "injury")
_RATES: Final = np.array([0.24, 0.088, 0.01, 0.005])
_STATES: Final = ("active", "suspended", "closed")
_INSURED_SHARE: Final = np.array([0.96, 0.35, 0.45, 0.85])
_FUND_SHARE: Final = np.array([0.22, 0.45, 0.85, 0.97])
_FUND_RATES: Final = np.array([0.05, 0.06, 0.08, 0.10, 0.12])


def _base_per_head(rng: Generator, firms: Firms) -> Floats:
    """CNY a month, n x T. Most small employers pay the lower limit; healthier and larger ones pay more."""
    limit = builtin_catalogue().figure("si_base_lower_limit")
    floors = np.array([limit.at(int(month)) for month in firms.timeline.codes])
    lift = rng.normal(-0.05, 0.22, firms.count) + 0.07 * firms.size - 0.05 * firms.strain_now
    base: Floats = np.minimum(np.exp(np.maximum(0.0, lift) * 1.8), 5.0)[:, None] * floors
    return base


def _insured(rng: Generator, firms: Firms) -> Ints:
    """Insured persons, n x T: a part of the staff that shrinks under strain."""
    cover = np.clip(rng.beta(6, 1.5, firms.count) - 0.05 * firms.strain_now, 0.15, 1.0)
    return np.maximum(1, np.rint(firms.staff * cover[:, None])).astype(np.int64)


def social_insurance(firms: Firms, rng: Generator) -> Rows:
    """Four insurances a month, declared and paid together; a shortfall hits all four."""
    joins = rng.random(firms.count) < _INSURED_SHARE[firms.kind]
    heads, base = _insured(rng, firms), _base_per_head(rng, firms)
    firm, month = np.nonzero(firms.alive & joins[:, None])
    end = firms.timeline.ends[month]
    pressure = firms.strain[firm, month] + habits(rng, firms.count)[firm]
    payments = settle(rng, end, pressure)
    ready = known_on(end, payments)
    unpaid_before = np.r_[False, (payments.share[:-1] == 0) & (firm[:-1] == firm[1:])]
    state = np.where(unpaid_before & (payments.share == 0), 1, 0)
    each = np.repeat(np.arange(len(firm)), len(_INSURANCES))
    kind = np.tile(np.arange(len(_INSURANCES)), len(firm))
    firm, month, insured = firm[each], month[each], heads[firm, month][each]
    insured = np.where(kind == 0, insured, np.maximum(1, insured - rng.binomial(2, 0.08, len(firm))))
    total = money(insured * base[firm, month])
    payable = money(total * _RATES[kind])
    paid = money(payable * payments.share[each])
    return Rows(
        firm, firms.timeline.months[month], ready[each],
        {
            "period_ym": firms.timeline.codes[month],
            "insurance_type": Coded(kind, _INSURANCES),
            "insured_count": insured,
            "base_total": total,
            "payable": payable,
            "paid": paid,
            "paid_date": np.where(paid > 0, payments.paid_on[each], NEVER).astype("datetime64[D]"),
            "account_status": Coded(state[each], _STATES),
        },
    )  # fmt: skip


def housing_fund(firms: Firms, rng: Generator) -> Rows:
    """Voluntary in practice for micro enterprises; a strained employer skips months, and the month has no row."""
    employer = (firms.kind != SOLE_TRADER) & (firms.kind != COOPERATIVE)
    joins = employer & (rng.random(firms.count) < _FUND_SHARE[firms.size] - 0.10 * (firms.kind == BRANCH))
    cover = np.clip(rng.beta(3, 2, firms.count) - 0.05 * firms.strain_now, 0.08, 1.0)
    heads = np.maximum(1, np.rint(_insured(rng, firms) * cover[:, None])).astype(np.int64)
    base = _base_per_head(rng, firms) * np.exp(np.abs(rng.normal(0, 0.15, firms.count)))[:, None]
    rate = _FUND_RATES[rng.choice(5, firms.count, p=(0.52, 0.12, 0.18, 0.08, 0.10))]
    firm, month = np.nonzero(firms.alive & joins[:, None])
    end = firms.timeline.ends[month]
    pressure = firms.strain[firm, month] + habits(rng, firms.count)[firm]
    payments = settle(rng, end, pressure + 0.4)
    deposited = payments.share == 1.0
    firm, month, end = firm[deposited], month[deposited], end[deposited]
    total = money(heads[firm, month] * base[firm, month])
    paid_on = payments.paid_on[deposited]
    return Rows(
        firm, firms.timeline.months[month], np.maximum(end, paid_on).astype("datetime64[D]"),
        {
            "unit_account": numbered("HF", rng.integers(10**8, 10**9, firms.count)[firm], 10),
            "period_ym": firms.timeline.codes[month],
            "payer_count": heads[firm, month],
            "amount": money(total * rate[firm] * 2),
            "base_total": total,
            "unit_rate": np.round(rate[firm] * 100, 1),
            "account_status": constant("active", len(firm)),
            "paid_date": paid_on,
        },
    )  # fmt: skip
