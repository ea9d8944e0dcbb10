"""Synthetic annual reports, tax declarations and tax credit."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator

from clients.city import industries
from clients.city.identity import COOPERATIVE, REGIONS
from clients.city.latents import Firms, is_small_trader
from clients.city.payments import Payments, habits, known_on, settle
from clients.city.rows import Coded, Rows, joined, money, pick, sigmoid, stack, texts
from clients.city.timeline import NEVER, Bools, Dates, Floats, Ints, days, first_day, year_of
from clients.city.timeline import day_of_year as on_day

_REPORT_YEARS: Final = 8
_SMALL_SCALE: Final = 5_000_000.0
"""CNY of yearly sales up to which VAT is declared by the quarter."""
_EXEMPT_QUARTER: Final = 300_000.0
_TAX_TYPES: Final = ("vat", "income", "other")
_VAT, _INCOME, _OTHER = range(3)
_OLD_TAXPAYER_IDS: Final = 0.05


def margin_of(rng: Generator, firms: Firms, firm: Ints) -> Floats:
    """Net profit over sales, one draw a row."""
    return industries.MARGIN[firms.industry[firm]] - 0.022 * firms.strain_now[firm] + rng.normal(0, 0.045, len(firm))


def annual_report(firms: Firms, rng: Generator) -> Rows:
    """Self-reported once a year from January to June; some late, some never, some with figures left out."""
    last = int(year_of(np.array([firms.timeline.as_of]))[0]) - 1
    years = last - np.arange(_REPORT_YEARS - 1, -1, -1)
    due = (year_of(firms.founded)[:, None] <= years) & ~(firms.closed[:, None] < on_day(years + 2, 1))
    never = rng.random(due.shape) < 0.5 * sigmoid(-4.0 + 0.9 * firms.strain_now)[:, None]
    firm, position = np.nonzero(due & ~never)
    year, count = years[position], len(firm)
    late = rng.random(count) < sigmoid(-3.3 + 0.7 * firms.strain_now[firm])
    filed = on_day(year + 1, 1, 5) + days(rng.triangular(0, 150, 176, count))
    filed = np.where(late, on_day(year + 1, 7) + days(rng.integers(0, 170, count)), filed)
    revenue = firms.revenue[firm] * np.exp(firms.growth[firm] * (year - last) + rng.normal(0, 0.12, count)) / 1e4
    assets = revenue * np.exp(rng.normal(-0.2, 0.25, count) + rng.normal(0, 0.5, firms.count)[firm])
    wobble = rng.normal(0, 0.55, firms.count)[firm] + rng.normal(0, 0.15, count)
    debt = assets * 1.08 * sigmoid(0.1 + 0.50 * firms.leverage[firm] + 0.15 * firms.strain_now[firm] + wobble)
    net = revenue * margin_of(rng, firms, firm)
    silent = np.where(rng.random(count) < 0.02, np.nan, 1.0)
    age_share = np.clip((on_day(year + 1, 1) - firms.founded[firm]).astype(np.int64) / 365.0, 0.1, 1.0)
    staff = np.maximum(1, np.rint(firms.staff[firm, 0] * np.exp(rng.normal(0, 0.08, count))))
    return Rows(
        firm, first_day(on_day(year, 12)), filed,
        {
            "report_year": year,
            "filed_date": filed,
            "total_assets": money(assets),
            "total_liabilities": money(debt),
            "equity": money(assets) - money(debt),
            "revenue": money(revenue * age_share * silent),
            "total_profit": money(net / np.where(net > 0, 0.95, 1.0)),
            "net_profit": money(net),
            "tax_total": money(np.maximum(0, revenue * industries.VAT[firms.industry[firm]] + 0.05 * net)),
            "employees": np.where(rng.random(count) < 0.01, np.nan, staff),
            "revenue_public": rng.random(count) < 0.35,
            "employees_public": rng.random(count) < 0.6,
        },
    )  # fmt: skip


def _periods(firms: Firms, by_month: Bools) -> tuple[Ints, Ints, Ints]:
    """Declarations due: enterprise, last month of the period, length of the period in months."""
    quarter_end = firms.timeline.calendar_month() % 3 == 2
    due = firms.alive & (by_month[:, None] | quarter_end[None, :])
    firm, month = np.nonzero(due)
    return firm, month, np.where(by_month[firm], 1, 3)


def _period_sales(firms: Firms, firm: Ints, month: Ints, length: Ints) -> Floats:
    total = np.cumsum(firms.sales, axis=1)
    before = month - length
    return total[firm, month] - np.where(before >= 0, total[firm, np.maximum(before, 0)], 0.0)


def _taxpayer_ids(rng: Generator, firms: Firms, firm: Ints) -> pa.Array:
    """The USCC, or for some the old form of region and organisation code (15 characters)."""
    old = joined(texts(Coded(firms.region, REGIONS)), pc.utf8_slice_codeunits(firms.uscc, 8, 17))
    ids = pc.if_else(pa.array(rng.random(firms.count) < _OLD_TAXPAYER_IDS), old, firms.uscc)
    return ids.take(pa.array(firm))


def tax_payment(firms: Firms, rng: Generator) -> Rows:
    """VAT by month or quarter, income tax by quarter, other taxes with the VAT of small enterprises."""
    by_month = firms.revenue > _SMALL_SCALE
    vat = _periods(firms, by_month)
    income_due = (firms.kind != COOPERATIVE) & ~is_small_trader(firms)
    income = _periods(firms, np.zeros(firms.count, dtype=np.bool_))
    with_income, with_other = income_due[income[0]], rng.random(len(income[0])) < 0.7
    parts = (vat, tuple(a[with_income] for a in income), tuple(a[with_other] for a in income))
    firm, month, length = (np.concatenate([p[k] for p in parts]) for k in range(3))
    tax = np.repeat(np.arange(3), [len(p[0]) for p in parts])
    sales = _period_sales(firms, firm, month, length) * np.exp(rng.normal(0, 0.05, len(firm)))
    exempt = (tax == _VAT) & (length == 3) & (sales < _EXEMPT_QUARTER)
    rates = industries.VAT[firms.industry[firm]] * np.exp(rng.normal(0, 0.25, len(firm)))
    profit = sales * margin_of(rng, firms, firm)
    income_tax = np.maximum(0, profit) * np.where(firms.size[firm] < 2, 0.05, 0.20)
    payable = np.select([tax == _VAT, tax == _INCOME], [np.where(exempt, 0, sales * rates), income_tax], sales * 0.0009)
    end = firms.timeline.ends[month]
    due = first_day(firms.timeline.months[month] + 1) + np.timedelta64(14, "D")
    pressure = firms.strain[firm, month] + habits(rng, firms.count)[firm]
    payments = settle(rng, due, pressure)
    return Rows(
        firm, firms.timeline.months[month], known_on(end, payments),
        {
            "taxpayer_id": _taxpayer_ids(rng, firms, firm),
            "tax_type": Coded(tax, _TAX_TYPES),
            "period_from": first_day(firms.timeline.months[month] - (length - 1)),
            "period_to": end,
            "declared_sales": money(np.where(tax == _VAT, sales, np.nan)),
            "exempt_sales": money(np.where(tax == _VAT, np.where(exempt, sales, 0.0), np.nan)),
            **_tax_paid(money(payable), payments),
        },
    )  # fmt: skip


def _tax_paid(payable: Floats, payments: Payments) -> dict[str, Floats | Dates]:
    paid = money(payable * payments.share)
    return {
        "tax_payable": payable,
        "tax_paid": paid,
        "paid_date": np.where(paid > 0, payments.paid_on, NEVER).astype("datetime64[D]"),
        "late_fee": money(paid * 0.0005 * payments.days_late),
    }


def _grades(firms: Firms, rng: Generator) -> Rows:
    """One row for each evaluated year: A from 90 points, B from 70, C from 40, D below; M for new ones from 70."""
    last = int(year_of(np.array([firms.timeline.as_of]))[0]) - 1
    years = last - np.arange(4, -1, -1)
    rated = (firms.founded[:, None] <= on_day(years, 1)) & ~(firms.closed[:, None] < on_day(years + 1, 4))
    firm, position = np.nonzero(rated)
    year, count = years[position], len(firm)
    own = rng.normal(0, 5.0, firms.count)[firm]
    score = np.clip(82 - 4.0 * firms.strain_now[firm] + own + rng.normal(0, 4.0, count), 5, 100)
    score = np.where(rng.random(count) < 0.01 * np.exp(firms.strain_now[firm]), rng.uniform(5, 40, count), score)
    new = (year - year_of(firms.founded)[firm] <= 2) & (rng.random(count) < 0.6) & (score >= 70)
    grade = np.select([new, score >= 90, score >= 70, score >= 40], [2, 0, 1, 3], 4)
    none = np.full(count, np.datetime64("NaT", "D"))
    serious = (grade == 4) & (rng.random(count) < 0.08)
    start = on_day(year + 1, 4)
    return Rows(
        firm, first_day(start), start,
        {
            "eval_year": year.astype(np.float64),
            "grade": Coded(grade.astype(np.int64), ("A", "B", "M", "C", "D")),
            "score": np.round(score, 1),
            "valid_from": start,
            "valid_to": on_day(year + 2, 3, 31),
            "arrears_tax_type": Coded(np.full(count, -1), ("none",)),
            "arrears_balance": np.full(count, np.nan),
            "abnormal_taxpayer": np.zeros(count, dtype=np.bool_),
            "abnormal_date": none,
            "abnormal_end_date": none,
            "serious_violation": serious,
            "publicity_end": np.where(serious, on_day(year + 4, 4), NEVER).astype("datetime64[D]"),
            "repaired": serious & (rng.random(count) < 0.1),
        },
    )  # fmt: skip


def _arrears(firms: Firms, rng: Generator) -> Rows:
    """Monthly: the months of an arrears episode, the month that cleared it, and the two newest months for everybody."""
    n, steps = firms.count, firms.timeline.count
    months = np.arange(steps)
    begins = np.where(rng.random(n) < sigmoid(-2.9 + 1.1 * firms.strain_now), rng.integers(0, steps, n), steps + 99)
    length = 1 + rng.poisson(3.0 * np.exp(0.3 * np.clip(firms.strain_now, -2, 3)))
    inside = (months >= begins[:, None]) & (months < (begins + length)[:, None])
    cleared = months == (begins + length)[:, None]
    open_for_tax = firms.alive | (firms.timeline.ends > firms.closed[:, None])
    firm, month = np.nonzero((inside | cleared | (months >= steps - 2)) & open_for_tax)
    count = len(firm)
    owed = inside[firm, month]
    size = firms.revenue * industries.VAT[firms.industry] * rng.uniform(0.02, 0.35, n)
    lost = rng.random(n) < 0.15
    abnormal = owed & lost[firm]
    since = firms.timeline.ends[np.clip(begins, 0, steps - 1)]
    ended = cleared[firm, month] & lost[firm]
    kind = pick(rng, n, ("vat", "income", "other"), (0.6, 0.25, 0.15)).codes[firm] + 1
    end = firms.timeline.ends[month]
    return Rows(
        firm, firms.timeline.months[month], end,
        {
            "eval_year": np.full(count, np.nan),
            "grade": Coded(np.full(count, -1), ("A",)),
            "score": np.full(count, np.nan),
            "valid_from": np.full(count, NEVER),
            "valid_to": np.full(count, NEVER),
            "arrears_tax_type": Coded(np.where(owed, kind, 0), ("none", *_TAX_TYPES)),
            "arrears_balance": money(np.where(owed, np.maximum(50.0, size[firm]), 0.0)),
            "abnormal_taxpayer": abnormal,
            "abnormal_date": np.where(abnormal | ended, since[firm], NEVER).astype("datetime64[D]"),
            "abnormal_end_date": np.where(ended, end, NEVER).astype("datetime64[D]"),
            "serious_violation": np.zeros(count, dtype=np.bool_),
            "publicity_end": np.full(count, NEVER),
            "repaired": np.zeros(count, dtype=np.bool_),
        },
    )  # fmt: skip


def tax_credit(firms: Firms, rng: Generator) -> Rows:
    """Yearly grades and monthly arrears, which the category's table holds as rows of two kinds."""
    return stack(_grades(firms, rng), _arrears(firms, rng))
