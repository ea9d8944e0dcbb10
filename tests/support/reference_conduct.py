"""The features of rights, acts and lists, by hand: categories 10 and 12 to 21."""

from collections import defaultdict
from datetime import date, timedelta

from tests.support.records import MISSING, NA
from tests.support.reference_firm import FAR, Firm, Row, Value, exact, grown, newest, share
from tests.support.reference_money import last_report, reports


def _sum(values: list[float | None]) -> float:
    return exact(values) or 0.0


def real_estate(firm: Firm) -> dict[str, Value]:
    rows = [row for row in firm.rows("real_estate") if firm.began(row["reg_date"])]
    if not rows:
        return {}
    owned = [row for row in rows if row["status"] == "in_force" and firm.runs(row["term_to"])]
    mortgaged = [
        row
        for row in owned
        if (row["mortgage_amount"] or 0) > 0 and firm.began(row["mortgage_from"]) and firm.runs(row["mortgage_to"])
    ]
    seized = [row for row in owned if row["seizure"] and firm.began(row["seizure_date"])]
    area = _sum([row["area"] for row in owned])
    free = _sum([row["area"] for row in owned if row not in mortgaged and row not in seized])
    return {
        "re_area_owned": area,
        "re_free_ratio": share(free, area, 100),
        "re_mortgage_amount": _sum([row["mortgage_amount"] for row in mortgaged]),
        "re_seizure_cnt": len(seized),
    }


def intellectual_property(firm: Firm) -> dict[str, Value]:
    rows = firm.rows("intellectual_property")
    valid = [
        row
        for row in rows
        if row["legal_status"] == "valid" and firm.began(row["grant_date"]) and firm.runs(row["expiry_date"])
    ]
    pledged = sum(row["pledge_status"] == "pledged" for row in valid)
    points = {"invention": 5, "utility_model": 2}
    return {
        "ip_invention_valid": sum(row["ip_type"] == "invention" for row in valid),
        "ip_score": sum(points.get(row["ip_type"], 1) for row in valid),
        "ip_grant_m36": sum(firm.within(row["grant_date"], 36, "intellectual_property") for row in rows),
        "ip_pledged_ratio": share(pledged, len(valid), 100),
    }


def sci_tech_innovation(firm: Firm) -> dict[str, Value]:
    points = {"little_giant": 4, "specialised": 3, "high_tech": 3, "rd_centre": 2}
    ends: dict[str, date] = {}
    spent: dict[int, float] = {}
    for row in firm.rows("sci_tech_innovation"):
        title, year = row["title_type"], row["year"]
        if title is not None and firm.over(row["issue_date"]) and firm.runs(row["valid_to"]):
            until = min(row["valid_to"] or FAR, FAR)
            ends[title] = max(ends.get(title, until), until)
        if row["rd_expense"] is not None and year is not None and year <= firm.last_full_year():
            spent[year] = max(spent.get(year, row["rd_expense"]), row["rd_expense"])
    revenue = {year: report["revenue"] for year, report in reports(firm).items() if report["revenue"] is not None}
    both = max(spent.keys() & revenue.keys(), default=None)
    last = max(spent, default=None)
    intensity = MISSING if both is None else share(spent[both], revenue[both], 100)
    return {
        "tec_title_score": sum(points.get(title, 1) for title in ends),
        "tec_title_months_left": max((firm.left(until) for until in ends.values()), default=0),
        "tec_rd_intensity": 0 if last is None else intensity,
        "tec_rd_growth": NA if last is None else grown(spent[last], spent.get(last - 1), 1),
    }


def administrative_permit(firm: Firm) -> dict[str, Value]:
    me = "administrative_permit"
    rows = [row for row in firm.rows(me) if firm.over(row["xk_jdrq"])]
    operating = [row for row in rows if row["xk_xklb"] in ("ordinary", "franchise", "approval")]
    renewed: dict[str, date] = {}
    for row in operating:
        if row["xk_zt"] == "in_force":
            name = row["xk_xkzs"] or row["xk_xkbh"] or row["record_id"]
            until = min(row["xk_yxqzi"] or FAR, FAR)
            renewed[name] = max(renewed.get(name, until), until)
    lapsed = [until for until in renewed.values() if until < firm.as_of and firm.within(until, 12, me)]
    current = [until for until in renewed.values() if until >= firm.as_of]
    revoked = [row for row in operating if row["xk_zt"] == "revoked" and firm.within(row["data_month"], 12, me)]
    in_force = [
        row for row in rows if row["xk_zt"] == "in_force" and firm.began(row["xk_yxqz"]) and firm.runs(row["xk_yxqzi"])
    ]
    return {
        "per_valid_cnt": len(in_force),
        "per_min_months_left": min((firm.left(until) for until in (*lapsed, *current)), default=NA),
        "per_new_m36": sum(firm.within(row["xk_jdrq"], 36, me) for row in rows),
        "per_lapsed_m12": len(lapsed) + len(revoked),
    }


def _published(firm: Firm, row: Row) -> bool:
    """Three months for a minor penalty, a year for a general one, three for a serious one or an unknown."""
    months = {"minor": 3, "general": 12}.get(row["severity"], 36)
    decided = row["cf_jdrq"]
    # as_of ends its month, so every day of the month so many months back is out.
    return not firm.over(row["cf_gsjzq"]) and (firm.since(decided) or 0) < months


def administrative_penalty(firm: Firm) -> dict[str, Value]:
    me = "administrative_penalty"
    rows = [row for row in firm.rows(me) if firm.over(row["cf_jdrq"]) and not row["repaired"] and _published(firm, row)]
    recent = [row for row in rows if firm.within(row["cf_jdrq"], 36, me)]
    weights = {"minor": 0, "serious": 5}
    return {
        "pen_cnt_m12": sum(firm.within(row["cf_jdrq"], 12, me) for row in rows),
        "pen_amount_m36": _sum([row[name] for row in recent for name in ("cf_nr_fk", "cf_nr_wfff")]),
        "pen_severity_m36": sum(weights.get(row["severity"], 1) for row in recent),
        "pen_months_since": _last([row["cf_jdrq"] for row in rows], firm),
    }


def _last(days: list[date | None], firm: Firm) -> int:
    """Months since the last of some days, 120 at most and without any."""
    return min([120, *(months for day in days if (months := firm.since(day)) is not None)])


def judicial_enforcement(firm: Firm) -> dict[str, Value]:
    me = "judicial_enforcement"
    rows = [row for row in firm.rows(me) if firm.over(row["filing_date"]) and not row["repaired"]]
    is_open = [row for row in rows if not firm.over(row["closed_date"])]
    executed = [row for row in rows if row["role"] == "executed"]
    return {
        "jud_unperformed": _sum(
            [row["unperformed_amount"] for row in is_open if row["role"] in ("defendant", "executed")]
        ),
        "jud_exec_cnt_m24": sum(firm.within(row["filing_date"], 24, me) for row in executed),
        "jud_months_since_exec": _last([row["filing_date"] for row in executed], firm),
        "jud_defendant_cnt_m36": sum(
            row["role"] == "defendant" and firm.within(row["filing_date"], 36, me) for row in rows
        ),
        "jud_dishonest_now": int(any(row["dishonest_flag"] and firm.began(row["publish_date"]) for row in is_open)),
    }


def abnormal_dishonesty_list(firm: Firm) -> dict[str, Value]:
    me = "abnormal_dishonesty_list"
    rows = [row for row in firm.rows(me) if firm.over(row["in_date"]) and firm.counts(row)]
    serious = ("serious_illegal", "major_tax", "wage_arrears")
    listed = [row for row in rows if not firm.over(row["out_date"])]
    days = 0
    for row in rows:
        day = row["in_date"]
        end = row["out_date"] if firm.over(row["out_date"]) else firm.as_of + timedelta(days=1)
        days += sum(firm.within(day + timedelta(days=at), 36, me) for at in range((end - day).days))
    return {
        "abn_cnt_m36": sum(firm.within(row["in_date"], 36, me) for row in rows),
        "abn_days_m36": days,
        "abn_months_since_out": 0 if listed else _last([row["out_date"] for row in rows], firm),
        "abn_serious_now": int(any(row["list_type"] in serious for row in listed)),
    }


def honor_policy_support(firm: Firm) -> dict[str, Value]:
    me = "honor_policy_support"
    points = {"national": 5, "province": 3, "city": 2, "county": 1}
    rows = firm.rows(me)
    supported = [row for row in rows if row["support_type"] != "none"]
    recent = _sum([row["support_amount"] for row in supported if firm.within(row["support_date"], 12, me)])
    return {
        "hon_score_m36": sum(points.get(row["level"], 0) for row in rows if firm.within(row["grant_date"], 36, me)),
        "hon_support_m36": _sum(
            [row["support_amount"] for row in supported if firm.within(row["support_date"], 36, me)]
        ),
        "hon_support_dependency": 0 if recent == 0 else share(recent, last_report(firm, "revenue"), 100),
    }


def environmental_credit(firm: Firm) -> dict[str, Value]:
    me = "environmental_credit"
    if not firm.rows(me):
        return dict.fromkeys(("env_score", "env_deduct_m24", "env_months_since_deduct", "env_worst_colour_m36"), NA)
    rows = [row for row in firm.rows(me) if firm.counts(row)]
    rating = newest((row for row in rows if row["score12"] is not None and firm.over(row["eval_date"])), "eval_date")
    deducted = [row for row in rows if row["event_type"] == "deduction" and (row["deduct_points"] or 0) > 0]
    colours = ("black", "red", "yellow", "blue", "green")
    seen = [row["colour"] for row in rows if row["colour"] is not None and firm.within(row["eval_date"], 36, me)]
    return {
        "env_score": rating["score12"] if rating is not None and firm.runs(rating["valid_to"]) else MISSING,
        "env_deduct_m24": sum(row["deduct_points"] for row in deducted if firm.within(row["event_date"], 24, me)),
        "env_months_since_deduct": _last([row["event_date"] for row in deducted], firm),
        "env_worst_colour_m36": min((colours.index(colour) for colour in seen), default=MISSING),
    }


def agri_operator(firm: Firm) -> dict[str, Value]:
    codes = ("agr_land_area", "agr_contract_years_left", "agr_insurance_cover", "agr_subsidy_m36", "agr_demo_level")
    if not firm.rows("agri_operator"):
        return dict.fromkeys(codes, NA)
    rows = [row for row in firm.rows("agri_operator") if firm.began(row["reg_date"])]
    if not rows:
        return {}
    land = [row for row in rows if row["land_area"] is not None and firm.runs(row["land_contract_to"])]
    dated = [row for row in land if row["land_contract_to"] is not None and row["land_contract_to"] < FAR]
    area, dated_area = _sum([row["land_area"] for row in land]), _sum([row["land_area"] for row in dated])
    months = exact(row["land_area"] * firm.left(row["land_contract_to"]) for row in dated)
    levels = ("none", "county", "city", "province", "national")
    return {
        "agr_land_area": area,
        "agr_contract_years_left": share(months, dated_area, 1 / 12),
        "agr_insurance_cover": share(exact(row["insured_area"] for row in land), area, 100),
        "agr_subsidy_m36": _sum(
            [row["subsidy_amount"] for row in rows if firm.within(row["subsidy_date"], 36, "agri_operator")]
        ),
        "agr_demo_level": max((levels.index(row["demo_level"]) for row in rows if row["demo_level"]), default=MISSING),
    }


def pledge_guarantee(firm: Firm) -> dict[str, Value]:
    me = "pledge_guarantee"
    rows = [row for row in firm.rows(me) if firm.over(row["reg_date"])]
    by_kind = defaultdict(list)
    for row in rows:
        if row["status"] == "in_force" and firm.began(row["period_from"]) and firm.runs(row["period_to"]):
            by_kind[row["kind"]].append(row)
    secured = [*by_kind["chattel_mortgage"], *by_kind["receivable_pledge"]]
    guaranteed = _sum([row["secured_amount"] for row in by_kind["external_guarantee"]])
    return {
        "plg_equity_ratio": _sum([row["equity_share"] for row in by_kind["equity_pledge"]]),
        "plg_secured_open": _sum([row["secured_amount"] for row in secured]),
        "plg_guarantee_to_equity": 0 if guaranteed == 0 else share(guaranteed, last_report(firm, "equity"), 100),
        "plg_new_m12": sum(firm.within(row["reg_date"], 12, me) for row in rows),
    }
