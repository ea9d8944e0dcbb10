"""The features of registration, money and bills, by hand: categories 1 to 9 and customs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from statistics import fmean, pstdev

from xinyidai.catalogue import builtin_catalogue

from tests.support.records import MISSING, NA
from tests.support.reference_firm import Firm, Row, Value, exact, grown, maybe, month_of, monthly, newest, share, streak


def enterprise_registration(firm: Firm) -> dict[str, Value]:
    rows = firm.rows("enterprise_registration")
    if not rows:
        return {}
    ages = [age for row in rows if (age := firm.since(row["est_date"])) is not None]
    base = newest((row for row in rows if row["reg_capital"] is not None), "data_month")
    changes = [row for row in rows if row["change_item"] in ("legal_rep", "holder_25", "address")]
    new_rep = [firm.since(row["change_date"]) for row in rows if row["change_item"] == "legal_rep"]
    known = [months for months in new_rep if months is not None]
    return {
        "reg_age_months": maybe(max(ages, default=None)),
        "reg_paid_in_ratio": MISSING if base is None else share(base["paid_in_capital"], base["reg_capital"], 100),
        "reg_capital_wan": MISSING if base is None else base["reg_capital"],
        "reg_key_change_cnt_m24": sum(
            firm.within(row["change_date"], 24, "enterprise_registration") for row in changes
        ),
        "reg_months_since_rep_change": maybe(min(known, default=max(ages, default=None))),
    }


def reports(firm: Firm) -> dict[int, Row]:
    """The figures of each year that is over, as last filed."""
    by_year = defaultdict(list)
    for row in firm.rows("annual_report"):
        if row["report_year"] is not None and row["report_year"] <= firm.last_full_year():
            if firm.began(row["filed_date"]):
                by_year[row["report_year"]].append(row)
    return {year: last for year, rows in by_year.items() if (last := newest(rows, "filed_date")) is not None}


def last_report(firm: Firm, figure: str) -> float | None:
    filed = reports(firm)
    return filed[max(filed)][figure] if filed else None


def annual_report(firm: Firm) -> dict[str, Value]:
    filed = reports(firm)
    if not filed:
        return {}
    year = max(filed)
    last, before = filed[year], filed.get(year - 1)
    first: dict[int, date] = {}
    for row in firm.rows("annual_report"):
        if row["report_year"] is not None and row["filed_date"] is not None and firm.began(row["filed_date"]):
            at = row["report_year"]
            first[at] = min(first.get(at, row["filed_date"]), row["filed_date"])
    in_time = [at for at, day in first.items() if date(at + 1, 1, 1) <= day <= date(at + 1, 6, 30)]
    return {
        "ar_debt_ratio": share(last["total_liabilities"], last["total_assets"], 100),
        "ar_revenue_growth": grown(last["revenue"], None if before is None else before["revenue"], 1),
        "ar_net_margin": share(last["net_profit"], last["revenue"], 100),
        "ar_revenue_per_head": share(last["revenue"], last["employees"]),
        "ar_on_time_years": streak(in_time, firm.as_of.year - (1 if firm.as_of >= date(firm.as_of.year, 6, 30) else 2)),
    }


def tax_payment(firm: Firm) -> dict[str, Value]:
    me = "tax_payment"
    declared = [row for row in firm.rows(me) if firm.settled(row["period_to"], me)]

    def ending(field: str, skip: int) -> float | None:
        return exact(row[field] for row in declared if firm.within(row["period_to"], 12, me, skip))

    def covered(rows: Iterable[Row], months: int, skip: int) -> int:
        found = set()
        for row in rows:
            if row["period_from"] is not None:
                found |= set(range(month_of(row["period_from"]), month_of(row["period_to"]) + 1))
        last = firm.month - 2 - skip
        return len(found & set(range(last - months + 1, last + 1)))

    paid, sales = ending("tax_paid", 0), ending("declared_sales", 0)
    before = ending("tax_paid", 12) if covered(declared, 12, 12) == 12 else None
    taxed = [row for row in declared if row["tax_paid"] is not None and row["tax_paid"] > 0]
    any_m24 = any(firm.within(row["period_to"], 24, me) for row in declared)
    return {
        "tax_paid_m12": maybe(paid),
        "tax_months_m24": covered(taxed, 24, 0) if any_m24 else MISSING,
        "tax_growth_yoy": grown(paid, before, 1000),
        "tax_sales_m12": maybe(sales),
        "tax_burden_m12": share(paid, sales, 100),
    }


def tax_credit(firm: Firm) -> dict[str, Value]:
    rows = firm.rows("tax_credit")
    if not rows:
        return {}
    level = {grade: at for at, grade in enumerate("DCMBA")}
    last_year = firm.as_of.year - (1 if firm.as_of.month >= 4 else 2)
    by_year = defaultdict(list)
    for row in rows:
        if row["grade"] is not None and row["eval_year"] is not None and firm.began(row["valid_from"]):
            by_year[row["eval_year"]].append(row)
    newest_of = {year: newest(found, "valid_from") for year, found in by_year.items() if year <= last_year}
    last = {year: row for year, row in newest_of.items() if row is not None}
    grades = {year: level[row["grade"]] for year, row in last.items() if row["grade"] != "D" or firm.counts(row)}
    recent = [grades[year] for year in range(last_year - 4, last_year + 1) if year in grades]
    stated = [row for row in rows if row["arrears_balance"] is not None and row["data_month"] is not None]
    months = sorted({month_of(row["data_month"]) for row in stated})
    owed = monthly(
        (row for row in stated if firm.counts(row)),
        lambda row: month_of(row["data_month"]),
        lambda row: row["arrears_balance"],
    )
    bad = [0 if at == months[-1] else firm.month - at for at, balance in owed.items() if balance > 0]
    episodes = defaultdict(list)
    for row in rows:
        if firm.began(row["abnormal_date"]) and (row["abnormal_taxpayer"] or row["abnormal_end_date"] is not None):
            episodes[row["abnormal_date"]].append(row)
    for told in episodes.values():
        last_told = newest(told, "data_month")
        if last_told is not None and firm.counts(last_told):
            ended = firm.since(last_told["abnormal_end_date"])
            bad.append(0 if ended is None else ended)
    return {
        "tcr_grade_latest": grades[max(grades)] if grades else NA,
        "tcr_points_3y": sum(grades.get(year, 2) for year in range(last_year - 2, last_year + 1)),
        "tcr_share_ab_5y": 100 * sum(grade >= 3 for grade in recent) / len(recent) if recent else NA,
        "tcr_arrears_balance": owed.get(months[-1], 0) if months else MISSING,
        "tcr_months_since_bad": min([*bad, 120]),
    }


def pension(firm: Firm, field: str) -> dict[int, float]:
    rows = [
        row
        for row in firm.rows("social_insurance")
        if row["insurance_type"] == "pension" and firm.settled(row["period_ym"], "social_insurance")
    ]
    return monthly(rows, lambda row: month_of(row["period_ym"]), lambda row: row[field])


def mean_of(firm: Firm, months: Mapping[int, float]) -> float | None:
    """Of the twelve months that end with the last settled one, with the usual lag of two."""
    values = [months[at] for at in range(firm.month - 13, firm.month - 1) if at in months]
    return fmean(values) if values else None


def social_insurance(firm: Firm) -> dict[str, Value]:
    me, last = "social_insurance", firm.month - 2
    rows = [row for row in firm.rows(me) if firm.settled(row["period_ym"], me)]
    insured, base = pension(firm, "insured_count"), pension(firm, "base_total")
    payable, paid = pension(firm, "payable"), pension(firm, "paid")
    full = [at for at, amount in paid.items() if amount > 0 and amount >= payable.get(at, 0)]
    average, year_before = mean_of(firm, insured), range(last - 23, last - 11)
    before = fmean(insured[at] for at in year_before) if all(at in insured for at in year_before) else None
    recent = [row for row in rows if firm.within(row["period_ym"], 24, me)]
    short = {row["period_ym"] for row in recent if row["payable"] is not None and (row["paid"] or 0) < row["payable"]}
    based = max((at for at in base if insured.get(at, 0) > 0), default=None)
    limit = 0.0
    for step in builtin_catalogue().figure("si_base_lower_limit").steps:
        if limit == 0 or (based is not None and based >= month_of(int(step.first[:4] + step.first[5:]))):
            limit = step.value
    return {
        "si_consecutive_months": streak(full, last)
        if any(row["insurance_type"] == "pension" for row in rows)
        else MISSING,
        "si_insured_avg_m12": maybe(average),
        "si_insured_growth_yoy": grown(average, before, 1),
        "si_arrears_months_m24": len(short) if recent else MISSING,
        "si_base_ratio": MISSING if based is None else base[based] / insured[based] / limit,
    }


def housing_fund(firm: Firm) -> dict[str, Value]:
    me, last = "housing_fund", firm.month - 2
    rows = [row for row in firm.rows(me) if firm.settled(row["period_ym"], me)]
    if not rows:
        return {}
    amounts = monthly(rows, lambda row: month_of(row["period_ym"]), lambda row: row["amount"])
    payers = monthly(rows, lambda row: month_of(row["period_ym"]), lambda row: row["payer_count"])
    deposits = {at for at, amount in amounts.items() if amount > 0}
    average = mean_of(firm, payers)
    opened = max(min(month_of(row["period_ym"]) for row in rows), last - 23)
    m12 = range(last - 11, last + 1)
    coverage = share(average, mean_of(firm, pension(firm, "insured_count")), 100)
    return {
        "hf_consecutive_months": streak(deposits, last),
        "hf_payer_avg_m12": maybe(average),
        "hf_amount_per_head": share(
            exact(amounts[at] for at in m12 if at in amounts), exact(payers[at] for at in m12 if at in payers)
        ),
        "hf_gap_months_m24": len(set(range(opened, last + 1)) - deposits),
        "hf_coverage": MISSING if average is None else coverage,
    }


def late_bills(firm: Firm, rows: Iterable[Row], surcharge: str) -> Value:
    """Paid after the due date, open after it, or with a surcharge; missing without a bill."""
    found = [_is_late(firm, row, surcharge) for row in rows]
    return sum(found) if found else MISSING


def _is_late(firm: Firm, row: Row, surcharge: str) -> bool:
    if row[surcharge] is not None and row[surcharge] > 0:
        return True
    due, paid = row["due_date"], row["pay_date"]
    if due is None:
        return False
    if firm.over(paid):
        return bool(paid > due)
    return bool(due < firm.as_of and row["bill"] is not None and row["bill"] > 0)


def two_years(firm: Firm, months: Mapping[int, float], lag: int, full: int) -> tuple[float | None, float | None]:
    """Sums of m12 and of p12, the second only when enough of its months are there."""
    last = firm.month - lag
    now = [months[at] for at in range(last - 11, last + 1) if at in months]
    before = [months[at] for at in range(last - 23, last - 11) if at in months]
    return exact(now), exact(before) if len(before) >= full else None


def water_usage(firm: Firm) -> dict[str, Value]:
    me = "water_usage"
    own = [row for row in firm.rows(me) if row["use_nature"] != "resident" and firm.over(row["read_date"])]
    settled = [row for row in own if firm.settled(row["read_date"], me)]
    volume, before = two_years(
        firm, monthly(settled, lambda row: month_of(row["read_date"]), lambda row: row["volume"]), 2, 6
    )
    accounts = defaultdict(list)
    for row in own:
        if row["arrears_amount"] is not None:
            accounts[row["account_no"]].append(row)
    last = [newest(rows, "read_date") for rows in accounts.values()]
    return {
        "wat_volume_m12": maybe(volume),
        "wat_growth_yoy": grown(volume, before, 10),
        "wat_late_cnt_m24": late_bills(firm, (r for r in settled if firm.within(r["read_date"], 24, me)), "late_fee"),
        "wat_arrears_amount": maybe(exact(row["arrears_amount"] for row in last if row is not None)),
    }


def electricity_usage(firm: Firm) -> dict[str, Value]:
    me, last = "electricity_usage", firm.month - 1
    rows = [row for row in firm.rows(me) if firm.settled(row["period_ym"], me)]
    months = monthly(rows, lambda row: month_of(row["period_ym"]), lambda row: row["kwh"])
    m12 = [months[at] for at in range(last - 11, last + 1) if at in months]
    now, before = two_years(firm, months, 1, 12)
    mean = fmean(m12) if m12 else None
    deviation = pstdev(m12) if len(m12) == 12 else None
    return {
        "ele_kwh_avg_m12": maybe(mean),
        "ele_growth_yoy": grown(now, before, 100),
        "ele_capacity_use": share(months.get(last), max(m12, default=None), 100),
        "ele_late_cnt_m24": late_bills(firm, (r for r in rows if firm.within(r["period_ym"], 24, me)), "penalty"),
        "ele_volatility_m12": MISSING if deviation is None else share(deviation, mean),
    }


def gas_usage(firm: Firm) -> dict[str, Value]:
    me, last = "gas_usage", firm.month - 2
    if not firm.rows(me):
        return dict.fromkeys(("gas_volume_m12", "gas_growth_yoy", "gas_active_months_m12", "gas_late_cnt_m24"), NA)
    rows = [row for row in firm.rows(me) if firm.settled(row["read_date"], me)]
    months = monthly(rows, lambda row: month_of(row["read_date"]), lambda row: row["volume"])
    m12 = [months[at] for at in range(last - 11, last + 1) if at in months]
    now, before = two_years(firm, months, 2, 12)
    return {
        "gas_volume_m12": maybe(now),
        "gas_growth_yoy": grown(now, before, 10),
        "gas_active_months_m12": sum(volume > 0 for volume in m12) if m12 else MISSING,
        "gas_late_cnt_m24": late_bills(firm, (r for r in rows if firm.within(r["read_date"], 24, me)), "late_fee"),
    }


def customs_trade(firm: Firm) -> dict[str, Value]:
    rows, last = firm.rows("customs_trade"), firm.month - 2
    if not rows:
        return dict.fromkeys(("cus_trade_m12", "cus_growth_yoy", "cus_active_months_m12", "cus_grade"), NA)
    grades = ("seriously_dishonest", "dishonest", "regular", "certified", "advanced_certified")
    dated = [row for row in rows if row["period_ym"] is not None]
    stated = [row for row in dated if row["export_value"] is not None or row["import_value"] is not None]
    trade = monthly(
        stated, lambda row: month_of(row["period_ym"]), lambda row: exact((row["export_value"], row["import_value"]))
    )
    now, before = two_years(firm, {at: value / 10_000 for at, value in trade.items()}, 2, 12)
    declared = monthly(dated, lambda row: month_of(row["period_ym"]), lambda row: row["declaration_cnt"])
    active = [at for at in range(last - 11, last + 1) if at in declared]
    graded = [row for row in rows if row["grade"] is not None]
    known = [row for row in graded if row["period_ym"] is None or month_of(row["period_ym"]) <= firm.month]
    grade = newest(known, "period_ym", "data_month")
    return {
        "cus_trade_m12": maybe(now),
        "cus_growth_yoy": grown(now, before, 1),
        "cus_active_months_m12": sum(declared[at] >= 1 for at in active) if active else MISSING,
        "cus_grade": MISSING if grade is None else grades.index(grade["grade"]),
    }
