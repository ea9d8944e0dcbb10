"""Synthetic water, electricity and gas bills."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clients.city import industries
from clients.city.identity import COOPERATIVE, SOLE_TRADER
from clients.city.latents import Firms
from clients.city.payments import Payments, habits, known_on, settle
from clients.city.rows import Coded, Rows, choose, constant, money, numbered, pick
from clients.city.timeline import NEVER, Bools, Dates, Floats, Ints, days, first_day

_WATER_PRICE: Final = np.array([3.95, 4.60, 9.20, 3.10])
_POWER_PRICE: Final = np.array([0.68, 0.78, 0.53, 0.55])
_GAS_PRICE: Final = np.array([4.10, 4.55])


@dataclass(frozen=True)
class _Accounts:
    """One entry an account; enterprises have none, one or two."""

    firm: Ints
    number: Ints
    share: Floats
    """Of the enterprise's consumption."""


def _open_accounts(rng: Generator, firms: Firms, served: Bools, second: NDArray[np.floating[Any]]) -> _Accounts:
    """`served` enterprises get an account, and with probability `second` another."""
    counts = served.astype(np.int64) * (1 + (rng.random(firms.count) < second))
    firm = np.repeat(np.arange(firms.count), counts)
    part = rng.uniform(0.5, 0.9, firms.count)[firm]
    is_second = np.r_[False, firm[1:] == firm[:-1]] if len(firm) else np.zeros(0, dtype=np.bool_)
    share = np.where(counts[firm] == 1, 1.0, np.where(is_second, 1.0 - part, part))
    return _Accounts(firm, rng.integers(10**9, 10**10, len(firm)), share)


def _bill_dates(firms: Firms, month: Ints) -> tuple[Dates, Dates]:
    """Day of reading (early the next month) and due day."""
    read = first_day(firms.timeline.months[month] + 1) + np.timedelta64(2, "D")
    return read, read + np.timedelta64(20, "D")


def _pay(rng: Generator, firms: Firms, firm: Ints, month: Ints, due: Dates) -> Payments:
    return settle(rng, due, firms.strain[firm, month] + habits(rng, firms.count)[firm])


def _running(values: NDArray[np.floating[Any]], account: Ints) -> Floats:
    """Cumulated within each account; rows must be sorted by account."""
    total = np.cumsum(values)
    starts = np.flatnonzero(np.r_[True, account[1:] != account[:-1]]) if len(account) else np.zeros(0, np.int64)
    before = np.where(starts > 0, total[starts - 1], 0.0) if len(starts) else np.zeros(0)
    running: Floats = total - np.repeat(before, np.diff(np.r_[starts, len(account)]))
    return running


def _open_debt(owed: Floats, account: Ints) -> tuple[Ints, Floats]:
    """Unpaid bills so far on the account, as a count and as CNY."""
    return _running((owed > 0).astype(np.float64), account).astype(np.int64), _running(owed, account)


def water_usage(firms: Firms, rng: Generator) -> Rows:
    """Bills every month for large users and every other month for the rest; some small traders pay as residents."""
    served = rng.random(firms.count) < np.where(firms.kind == SOLE_TRADER, 0.55, 0.82)
    accounts = _open_accounts(rng, firms, served, 0.05 + 0.08 * firms.size)
    big = firms.size[accounts.firm] >= 2
    months = np.arange(firms.timeline.count)
    billed = firms.alive[accounts.firm] & (big[:, None] | (months % 2 == 1))
    account, month = np.nonzero(billed)
    firm, length = accounts.firm[account], np.where(big[account], 1, 2)
    demand = industries.WATER[firms.industry[firm]] * np.sqrt(firms.staff[firm, month] * firms.staff[firm, -1])
    own = np.exp(rng.normal(0, 0.6, firms.count))[firm] * np.exp(rng.normal(0, 0.15, len(firm)))
    volume = np.round(demand * own * accounts.share[account] * firms.activity[firm, month] ** 0.6 * length, 0)
    trade = np.where(industries.MAKING[firms.industry], 0, 1)
    nature = np.where((firms.kind == SOLE_TRADER) & (rng.random(firms.count) < 0.3), 3, trade)
    nature = np.where(rng.random(firms.count) < 0.02, 2, nature)[firm]
    bill = money(volume * _WATER_PRICE[nature])
    read, due = _bill_dates(firms, month)
    payments = _pay(rng, firms, firm, month, due)
    periods, debt = _open_debt(np.where(np.isnat(payments.paid_on), bill, 0.0), account)
    return Rows(
        firm, firms.timeline.months[month], known_on(read, payments),
        {
            "account_no": numbered("W", accounts.number[account], 10),
            "use_nature": Coded(nature, ("industrial", "commercial", "special", "resident")),
            "read_date": read,
            "reading": _running(volume, account),
            "volume": volume,
            "bill": bill,
            "due_date": due,
            "pay_date": payments.paid_on,
            "late_fee": money(bill * 0.001 * payments.days_late),
            "arrears_periods": periods,
            "arrears_amount": money(debt),
        },
    )  # fmt: skip


def electricity_usage(firms: Firms, rng: Generator) -> Rows:
    """Monthly bills; the production signal. A few contracts are prepaid and cannot be late."""
    served = rng.random(firms.count) < np.where(firms.kind == SOLE_TRADER, 0.7, 0.95)
    accounts = _open_accounts(rng, firms, served, 0.04 + 0.10 * firms.size)
    account, month = np.nonzero(firms.alive[accounts.firm])
    firm = accounts.firm[account]
    own = industries.KWH[firms.industry] * np.exp(rng.normal(0, 0.5, firms.count))
    used = firms.sales[firm, month] / 1000 * own[firm] * accounts.share[account]
    kwh = np.round((used + 60) * np.exp(rng.normal(0, 0.06, len(firm))), 0)
    capacity = _capacity(rng, firms, own, accounts)
    nature = _power_nature(rng, firms)
    bill = money(kwh * _POWER_PRICE[nature[firm]])
    read, due = _bill_dates(firms, month)
    payments = _pay(rng, firms, firm, month, due)
    prepaid = (rng.random(firms.count) < 0.12)[firm]
    paid_on = np.where(prepaid, read - 2, payments.paid_on).astype("datetime64[D]")
    paid = money(bill * np.where(prepaid, 1.0, payments.share))
    penalty = money(np.where(prepaid, 0.0, bill * 0.001 * payments.days_late))
    ready = np.where(prepaid, read, known_on(read, payments)).astype("datetime64[D]")
    return Rows(
        firm, firms.timeline.months[month], ready,
        {
            "account_no": numbered("E", accounts.number[account], 10),
            "power_nature": Coded(nature[firm], ("industrial", "commercial", "agricultural", "resident")),
            "contract_capacity": capacity[account],
            "running_capacity": np.round(capacity[account] * _running_part(rng, accounts)[account], 0),
            "period_ym": firms.timeline.codes[month],
            "kwh": kwh,
            "bill": bill,
            "paid": paid,
            "due_date": due,
            "pay_date": paid_on,
            "penalty": penalty,
            "prepaid": prepaid,
            **_breaches(rng, firms, firm, month, bill),
            "supply_status": choose((paid > 0) | (rng.random(len(firm)) < 0.8), "normal", "suspended"),
        },
    )  # fmt: skip


def _power_nature(rng: Generator, firms: Firms) -> Ints:
    """Industrial, commercial, agricultural or resident tariff, as an index."""
    home = (firms.kind == SOLE_TRADER) & (rng.random(firms.count) < 0.2)
    return np.select([firms.kind == COOPERATIVE, home, industries.MAKING[firms.industry]], [2, 3, 0], 1)


def _capacity(rng: Generator, firms: Firms, own: Floats, accounts: _Accounts) -> Floats:
    """kVA, in transformer sizes, for the mean load of an account with a margin."""
    load = firms.revenue[accounts.firm] / 12 / 1000 * own[accounts.firm] * accounts.share / 300
    sizes = np.array([8, 16, 30, 50, 80, 100, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2500, 5000])
    wanted = load * rng.uniform(1.3, 2.6, len(load))
    return sizes[np.minimum(np.searchsorted(sizes, wanted), len(sizes) - 1)].astype(np.float64)


def _running_part(rng: Generator, accounts: _Accounts) -> Floats:
    return np.where(rng.random(len(accounts.firm)) < 0.85, 1.0, rng.uniform(0.4, 0.9, len(accounts.firm)))


def _breaches(rng: Generator, firms: Firms, firm: Ints, month: Ints, bill: Floats) -> dict[str, Coded | Dates | Floats]:
    hit = rng.random(len(firm)) < 0.0004 * np.exp(np.clip(0.6 * firms.strain[firm, month], -2, 2))
    kind = pick(rng, len(firm), ("none", "breach", "theft"), (0.0, 0.8, 0.2))
    on = first_day(firms.timeline.months[month]) + days(rng.integers(0, 28, len(firm)))
    return {
        "breach_type": Coded(np.where(hit, kind.codes, 0), kind.values),
        "breach_date": np.where(hit, on, NEVER).astype("datetime64[D]"),
        "breach_amount": money(np.where(hit, 300 + bill * rng.uniform(0.5, 3.0, len(firm)), 0.0)),
    }


def gas_usage(firms: Firms, rng: Generator) -> Rows:
    """Monthly bills of the few enterprises with an account; most are not concerned."""
    served = rng.random(firms.count) < industries.GAS[firms.industry]
    accounts = _open_accounts(rng, firms, served, np.full(firms.count, 0.05))
    opened = _opened(rng, firms)
    in_use = firms.alive & (firms.timeline.ends > opened[:, None])
    account, month = np.nonzero(in_use[accounts.firm])
    firm = accounts.firm[account]
    own = industries.GAS_VOLUME[firms.industry] * np.exp(rng.normal(0, 0.5, firms.count))
    volume = firms.sales[firm, month] / 1000 * own[firm] * accounts.share[account]
    idle = rng.random(len(firm)) < 0.04
    volume = np.round(np.where(idle, 0.0, volume * np.exp(rng.normal(0, 0.12, len(firm)))), 0)
    nature = np.where(industries.MAKING[firms.industry], 0, 1)[firm]
    bill = money(volume * _GAS_PRICE[nature])
    read, due = _bill_dates(firms, month)
    payments = _pay(rng, firms, firm, month, due)
    return Rows(
        firm, firms.timeline.months[month], known_on(read, payments),
        {
            "account_no": numbered("G", accounts.number[account], 10),
            "permit_no": numbered("苏燃供", rng.integers(10**5, 10**6, firms.count)[firm], 6),
            "use_nature": Coded(nature, ("industrial", "commercial", "resident")),
            "read_date": read,
            "prev_read_date": first_day(firms.timeline.months[month]) + np.timedelta64(2, "D"),
            "reading": _running(volume, account),
            "volume": volume,
            "bill": bill,
            "due_date": due,
            "pay_date": payments.paid_on,
            "late_fee": money(bill * 0.001 * payments.days_late),
            "open_date": opened[firm],
            "status": constant("active", len(firm)),
        },
    )  # fmt: skip


def _opened(rng: Generator, firms: Firms) -> Dates:
    """Some months after founding."""
    opened: Dates = firms.founded + days(rng.integers(10, 400, firms.count))
    return opened
