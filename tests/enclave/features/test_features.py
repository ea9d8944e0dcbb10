"""Every feature of the catalogue, once, by hand.

All examples are as of 31 October 2026. Where a holder's lag is 2 months the last settled month is August 2026, so m12
is 202509..202608 and p12 202409..202508; with a lag of 1 (electricity) everything is a month later; with none m12
begins on 1 November 2025, m24 a year and m36 two years before.
"""

from datetime import date
from math import sqrt

import pytest
from xinyidai.catalogue import builtin_catalogue

from tests.support.records import MISSING, NA, Row, Told, months, told, uscc, write_records

AS_OF = date(2026, 10, 31)

RECORDS: dict[str, list[Row]] = {
    "enterprise_registration": [
        {"est_date": "2016-10-20", "reg_capital": 500.0, "paid_in_capital": 125.0, "change_item": "none"},
        # Base data are repeated with each change; the newest row about the latest month holds.
        {
            "est_date": "2016-10-20", "reg_capital": 800.0, "paid_in_capital": 200.0, "data_month": 202503,
            "change_item": "legal_rep", "change_date": "2025-03-09",
        },
        {"change_item": "address", "change_date": "2024-11-01"},
        {"change_item": "holder_25", "change_date": "2024-10-31"},  # a day before m24
        {"change_item": "other", "change_date": "2026-01-01"},  # no key change
    ],
    "annual_report": [
        {
            "report_year": 2025, "filed_date": "2026-06-30", "total_assets": 1000.0, "total_liabilities": 450.0,
            "equity": 550.0, "revenue": 600.0, "net_profit": 45.0, "employees": 24,
        },
        {"report_year": 2024, "filed_date": "2025-03-01", "revenue": 480.0},
        # A correction after the due date changes figures, and not that 2024 was filed in time.
        {"report_year": 2024, "filed_date": "2025-09-01", "revenue": 500.0},
        {"report_year": 2023, "filed_date": "2024-07-01", "revenue": 1.0},
        {"report_year": 2022, "filed_date": "2023-05-01", "revenue": 1.0},
    ],
    "tax_payment": [
        # The two quarters of p12 that are not spelt out, then three quarters and two months of m12.
        {"period_from": "2024-09-01", "period_to": "2024-12-31", "tax_paid": 2_000.0, "declared_sales": 50_000.0},
        {"period_from": "2025-01-01", "period_to": "2025-08-31", "tax_paid": 6_000.0, "declared_sales": 90_000.0},
        {"period_from": "2025-10-01", "period_to": "2025-12-31", "tax_paid": 4_000.0, "declared_sales": 100_000.0},
        {"period_from": "2026-01-01", "period_to": "2026-03-31", "tax_paid": 0.0, "declared_sales": 200_000.0},
        {"period_from": "2026-04-01", "period_to": "2026-06-30", "tax_paid": 5_000.0, "declared_sales": 100_000.0},
        # Another tax on a month that is covered already; a late fee is no tax.
        {"period_from": "2026-06-01", "period_to": "2026-06-30", "tax_type": "other", "tax_paid": 3_000.0,
         "late_fee": 700.0},
        # Not settled: the quarter ends in September.
        {"period_from": "2026-07-01", "period_to": "2026-09-30", "tax_paid": 9e6, "declared_sales": 9e6},
    ],
    "tax_credit": [
        {"eval_year": 2025, "grade": "B", "valid_from": "2026-04-20"},
        {"eval_year": 2024, "grade": "A", "valid_from": "2025-04-20"},
        {"eval_year": 2022, "grade": "M", "valid_from": "2023-04-20"},
        {"eval_year": 2021, "grade": "C", "valid_from": "2022-04-20"},
        {"eval_year": 2020, "grade": "A", "valid_from": "2021-04-20"},  # the sixth year back
        {"data_month": 202603, "arrears_balance": 9_000.0, "arrears_tax_type": "vat"},
        {"data_month": 202609, "arrears_balance": 0.0, "arrears_tax_type": "none"},
        {"data_month": 202501, "abnormal_taxpayer": True, "abnormal_date": "2024-01-01",
         "abnormal_end_date": "2025-06-15"},
    ],
    "social_insurance": [
        *(
            {"period_ym": ym, "insurance_type": "pension", "insured_count": 10 if ym < 202509 else 12,
             "base_total": 12 * 7428.0, "payable": 100.0, "paid": 60.0 if ym == 202512 else 100.0}
            for ym in months(202401, 202608)
        ),
        {"period_ym": 202601, "insurance_type": "medical", "insured_count": 99, "payable": 10.0, "paid": None},
        {"period_ym": 202512, "insurance_type": "injury", "insured_count": 99, "payable": 10.0, "paid": 9.0},
        {"period_ym": 202609, "insurance_type": "pension", "insured_count": 500, "payable": 1.0, "paid": 0.0},
    ],
    "housing_fund": [
        # Opened in January 2026, nothing in March, 6 payers; two accounts in August.
        *(
            {"period_ym": ym, "unit_account": "a", "payer_count": 6, "amount": 0.0 if ym == 202603 else 6_000.0}
            for ym in months(202601, 202608)
        ),
        {"period_ym": 202608, "unit_account": "b", "payer_count": 8, "amount": 14_000.0},
    ],
    "water_usage": [
        # Every second month: 6 readings in p12, 6 in m12.
        *(
            {"account_no": "w1", "use_nature": "industrial", "read_date": f"{y}-{m:02d}-05", "volume": volume,
             "bill": 90.0, "due_date": f"{y}-{m:02d}-20", "pay_date": f"{y}-{m:02d}-{pay}", "arrears_amount": 0.0}
            for y, m, volume, pay in [
                (2024, 10, 100.0, 19), (2024, 12, 100.0, 19), (2025, 2, 100.0, 21), (2025, 4, 100.0, 19),
                (2025, 6, 100.0, 19), (2025, 8, 100.0, 19), (2025, 10, 90.0, 19), (2025, 12, 90.0, 19),
                (2026, 2, 90.0, 28), (2026, 4, 90.0, 19), (2026, 6, 90.0, 20), (2026, 8, 90.0, 19),
            ]
        ),
        {"account_no": "w2", "use_nature": "commercial", "read_date": "2026-06-01", "volume": 60.0, "late_fee": 2.5,
         "arrears_amount": 999.0},
        {"account_no": "w2", "use_nature": "commercial", "read_date": "2026-08-01", "arrears_amount": 320.5},
        {"account_no": "w3", "use_nature": "resident", "read_date": "2026-08-01", "volume": 7e5,
         "arrears_amount": 7e5},
    ],
    "electricity_usage": [
        *(
            {"account_no": "e1", "period_ym": ym, "kwh": 1_000.0, "bill": 700.0, "due_date": "2025-01-20",
             "pay_date": "2025-01-21" if ym in (202410, 202501) else "2025-01-20"}
            for ym in months(202410, 202509)
        ),
        *({"account_no": "e1", "period_ym": ym, "kwh": 600.0} for ym in months(202510, 202608)),
        *({"account_no": "e2", "period_ym": ym, "kwh": 400.0} for ym in months(202510, 202608)),
        {"account_no": "e1", "period_ym": 202609, "kwh": 700.0, "penalty": 3.0, "bill": 1.0},
        {"account_no": "e1", "period_ym": 202610, "kwh": 9e6},  # not settled
    ],
    "gas_usage": [
        *(
            {"account_no": "g", "read_date": f"{ym // 100}-{ym % 100:02d}-28", "volume": 50.0 if ym < 202509 else 60.0}
            for ym in months(202409, 202605)
        ),
        {"account_no": "g", "read_date": "2026-06-28", "volume": 0.0, "bill": 5.0, "due_date": "2026-07-20"},
    ],
    "real_estate": [
        {"right_type": "land", "status": "in_force", "area": 4_000.0, "reg_date": "2015-01-01",
         "term_to": "2065-01-01", "mortgage_amount": 300.0, "mortgage_from": "2024-01-01"},
        {"right_type": "building", "status": "in_force", "area": 2_500.0, "reg_date": "2016-01-01",
         "mortgage_amount": 80.0, "mortgage_from": "2020-01-01", "mortgage_to": "2025-01-01"},  # paid back
        {"right_type": "building", "status": "in_force", "area": 1_500.0, "seizure": True,
         "seizure_date": "2026-05-01"},
        {"right_type": "building", "status": "cancelled", "area": 700.0, "mortgage_amount": 70.0, "seizure": True},
        {"right_type": "land", "status": "in_force", "area": 900.0, "reg_date": "2026-11-02"},  # not yet
    ],
    "customs_trade": [
        *(
            {"period_ym": ym, "export_value": 80_000.0, "import_value": 20_000.0, "declaration_cnt": 2,
             "grade": "regular"}
            for ym in months(202409, 202508)
        ),
        *(
            {"period_ym": ym, "export_value": 150_000.0, "declaration_cnt": 0 if ym > 202606 else 1,
             "grade": "certified" if ym == 202608 else "regular"}
            for ym in months(202509, 202608)
        ),
    ],
    "intellectual_property": [
        {"ip_type": "invention", "legal_status": "valid", "grant_date": "2020-01-01", "pledge_status": "pledged"},
        {"ip_type": "invention", "legal_status": "valid", "grant_date": "2024-01-01"},
        {"ip_type": "utility_model", "legal_status": "valid", "grant_date": "2025-01-01"},
        {"ip_type": "trademark", "legal_status": "valid", "grant_date": "2023-11-01"},
        {"ip_type": "invention", "legal_status": "lapsed", "grant_date": "2024-05-01", "pledge_status": "pledged"},
        {"ip_type": "design", "legal_status": "valid", "grant_date": "2010-01-01", "expiry_date": "2026-10-30"},
        {"ip_type": "invention", "legal_status": "valid", "grant_date": "2026-11-01"},  # not yet
    ],
    "sci_tech_innovation": [
        {"title_type": "high_tech", "issue_date": "2024-11-30", "valid_to": "2027-11-30"},
        {"title_type": "high_tech", "issue_date": "2023-12-01", "valid_to": "2026-12-01"},  # one kind scores once
        {"title_type": "rd_centre", "issue_date": "2025-01-01", "valid_to": "2026-11-29"},
        {"title_type": "little_giant", "issue_date": "2020-01-01", "valid_to": "2023-01-01"},
        {"year": 2024, "rd_expense": 20.0},
        {"year": 2025, "rd_expense": 24.0},
        {"year": 2025, "rd_expense": 24.0},
        {"year": 2026, "rd_expense": 900.0},  # the year is not over
    ],
    "administrative_permit": [
        {"xk_xklb": "ordinary", "xk_xkzs": "food", "xk_zt": "in_force", "xk_jdrq": "2021-06-01",
         "xk_yxqzi": "2026-05-31"},
        {"xk_xklb": "ordinary", "xk_xkzs": "food", "xk_zt": "in_force", "xk_jdrq": "2026-05-01",
         "xk_yxqzi": "2027-04-30"},  # renewed
        {"xk_xklb": "franchise", "xk_xkzs": "ferry", "xk_zt": "in_force", "xk_jdrq": "2024-01-01",
         "xk_yxqzi": "2099-12-31"},
        {"xk_xklb": "approval", "xk_xkzs": "survey", "xk_zt": "in_force", "xk_jdrq": "2022-01-01",
         "xk_yxqzi": "2026-09-30"},  # lapsed a whole month ago
        {"xk_xklb": "ordinary", "xk_xkzs": "hotel", "xk_zt": "revoked", "xk_jdrq": "2023-11-01",
         "data_month": 202602},
        {"xk_xklb": "registration", "xk_xkzs": "seal", "xk_zt": "in_force", "xk_jdrq": "2020-01-01"},
    ],
    "administrative_penalty": [
        {"cf_jdrq": "2026-04-10", "cf_nr_fk": 2.5, "cf_nr_wfff": 0.1, "severity": "general",
         "cf_gsjzq": "2027-04-10"},
        {"cf_jdrq": "2025-06-01", "cf_nr_fk": 30.0, "severity": "serious", "cf_gsjzq": "2028-06-01"},
        {"cf_jdrq": "2026-08-01", "severity": "minor"},
        {"cf_jdrq": "2026-09-01", "cf_nr_fk": 900.0, "severity": "serious", "repaired": True},
        {"cf_jdrq": "2026-09-02", "cf_nr_fk": 900.0, "severity": "general", "cf_gsjzq": "2026-10-31"},  # ended
    ],
    "judicial_enforcement": [
        {"role": "executed", "filing_date": "2025-02-01", "unperformed_amount": 80_000.0, "dishonest_flag": True,
         "publish_date": "2025-03-01"},
        {"role": "executed", "filing_date": "2024-12-01", "unperformed_amount": 5_000.0,
         "closed_date": "2025-01-01"},
        {"role": "executed", "filing_date": "2022-01-01", "unperformed_amount": 20_000.5},
        {"role": "defendant", "filing_date": "2023-11-01"},
        {"role": "defendant", "filing_date": "2023-10-31"},
        {"role": "plaintiff", "filing_date": "2026-01-01", "unperformed_amount": 7e6},
        {"role": "executed", "filing_date": "2026-09-01", "unperformed_amount": 7e6, "repaired": True},
    ],
    "abnormal_dishonesty_list": [
        {"list_type": "abnormal_operation", "in_date": "2023-10-22", "out_date": "2023-11-11"},  # 10 days in m36
        {"list_type": "abnormal_operation", "in_date": "2025-07-01", "out_date": "2025-07-31"},  # 30 days
        {"list_type": "wage_arrears", "in_date": "2026-08-01", "out_date": "2026-08-06"},  # 5 days
        {"list_type": "serious_illegal", "in_date": "2026-10-01", "repaired": True},
    ],
    "honor_policy_support": [
        {"honor_name": "h", "level": "province", "grant_date": "2024-05-01"},
        {"honor_name": "i", "level": "city", "grant_date": "2026-05-01"},
        {"honor_name": "j", "level": "national", "grant_date": "2023-10-31"},  # a day before m36
        {"support_type": "subsidy", "support_amount": 12.0, "support_date": "2026-02-01"},
        {"support_type": "discount_interest", "support_amount": 8.0, "support_date": "2024-02-01"},
    ],
    "environmental_credit": [
        {"event_type": "rating", "eval_date": "2024-01-01", "score12": 9, "colour": "blue"},
        {"event_type": "deduction", "eval_date": "2025-03-01", "event_date": "2025-03-01", "score12": 4,
         "colour": "yellow", "deduct_points": 5},
        {"event_type": "deduction", "eval_date": "2024-10-01", "event_date": "2024-10-01", "deduct_points": 2,
         "colour": "blue", "score12": 7},  # before m24
        {"event_type": "restoration", "eval_date": "2026-03-01", "score12": 8, "colour": "blue"},
        {"event_type": "deduction", "eval_date": "2026-06-01", "event_date": "2026-06-01", "score12": 0,
         "colour": "black", "deduct_points": 8, "repaired": True},
    ],
    "agri_operator": [
        {"demo_level": "county", "land_area": 300.0, "land_contract_to": "2036-10-31", "insured_area": 240.0},
        {"demo_level": "province", "land_area": 100.0, "land_contract_to": "2028-10-31"},
        {"land_area": 50.0, "land_contract_to": "2026-10-30", "insured_area": 50.0},  # over
        {"subsidy_amount": 1.5, "subsidy_date": "2025-05-01"},
        {"subsidy_amount": 2.25, "subsidy_date": "2023-11-01"},
        {"subsidy_amount": 90.0, "subsidy_date": "2023-10-31"},
    ],
    "pledge_guarantee": [
        {"kind": "equity_pledge", "status": "in_force", "equity_share": 30.0, "reg_date": "2025-01-01"},
        {"kind": "equity_pledge", "status": "released", "equity_share": 40.0, "reg_date": "2025-12-01"},
        {"kind": "chattel_mortgage", "status": "in_force", "secured_amount": 120.0, "reg_date": "2025-11-01",
         "period_to": "2027-01-01"},
        {"kind": "receivable_pledge", "status": "in_force", "secured_amount": 60.0, "reg_date": "2025-10-31"},
        {"kind": "external_guarantee", "status": "in_force", "secured_amount": 110.0, "reg_date": "2024-01-01"},
        {"kind": "external_guarantee", "status": "in_force", "secured_amount": 500.0, "reg_date": "2020-01-01",
         "period_to": "2026-10-30"},
    ],
}  # fmt: skip

EXPECTED: Told = {
    "reg_age_months": 120,  # October 2016 to October 2026
    "reg_paid_in_ratio": 25,  # 200 of 800
    "reg_capital_wan": 800,
    "reg_key_change_cnt_m24": 2,
    "reg_months_since_rep_change": 19,  # March 2025 to October 2026
    "ar_debt_ratio": 45,
    "ar_revenue_growth": 20,  # 500 to 600
    "ar_net_margin": 7.5,
    "ar_revenue_per_head": 25,
    "ar_on_time_years": 2,  # 2025 and 2024; 2023 a day late
    "tax_paid_m12": 12_000,  # 4 000 + 0 + 5 000 + 3 000
    "tax_months_m24": 18,  # 4 + 8 + 3 + 3; the quarter without tax does not count
    "tax_growth_yoy": 50,  # 8 000 to 12 000
    "tax_sales_m12": 400_000,
    "tax_burden_m12": 3,
    "tcr_grade_latest": 3,
    "tcr_points_3y": 9,  # B 3, A 4, 2023 unrated 2
    "tcr_share_ab_5y": 50,  # 2 of the 4 rated in 2021 to 2025
    "tcr_arrears_balance": 0,
    "tcr_months_since_bad": 7,  # last owed in March 2026
    "si_consecutive_months": 8,  # back to January; December was short
    "si_insured_avg_m12": 12,
    "si_insured_growth_yoy": 20,
    "si_arrears_months_m24": 2,  # December (twice short) and January
    "si_base_ratio": 1.5,  # 7 428 of 4 952
    "hf_consecutive_months": 5,  # April to August
    "hf_payer_avg_m12": 7,  # seven times 6, and 14
    "hf_amount_per_head": 1_000,  # 56 000 over 56 payer-months
    "hf_gap_months_m24": 1,
    "hf_coverage": 100 * 7 / 12,
    "wat_volume_m12": 600,
    "wat_growth_yoy": 0,
    "wat_late_cnt_m24": 3,  # February twice, and the late fee
    "wat_arrears_amount": 320.5,
    "ele_kwh_avg_m12": 975,  # eleven times 1 000, and 700
    "ele_growth_yoy": -2.5,
    "ele_capacity_use": 70,
    "ele_late_cnt_m24": 3,  # two paid a day late, one with a penalty
    "ele_volatility_m12": sqrt((11 * 25**2 + 275**2) / 12) / 975,
    "gas_volume_m12": 540,  # nine times 60, and 0
    "gas_growth_yoy": -10,
    "gas_active_months_m12": 9,
    "gas_late_cnt_m24": 1,  # never paid
    "re_area_owned": 8_000,
    "re_free_ratio": 31.25,  # 2 500 of 8 000
    "re_mortgage_amount": 300,
    "re_seizure_cnt": 1,
    "cus_trade_m12": 180,
    "cus_growth_yoy": 50,
    "cus_active_months_m12": 10,
    "cus_grade": 3,
    "ip_invention_valid": 2,
    "ip_score": 13,  # 5 + 5 + 2 + 1
    "ip_grant_m36": 4,  # with the one that lapsed since
    "ip_pledged_ratio": 25,
    "tec_title_score": 5,
    "tec_title_months_left": 13,
    "tec_rd_intensity": 4,  # 24 of 600
    "tec_rd_growth": 20,
    "per_valid_cnt": 3,  # food, ferry, seal
    "per_min_months_left": -1,  # survey
    "per_new_m36": 3,  # food again, ferry, hotel
    "per_lapsed_m12": 2,  # survey, hotel
    "pen_cnt_m12": 2,
    "pen_amount_m36": 32.6,
    "pen_severity_m36": 6,
    "pen_months_since": 2,
    "jud_unperformed": 100_000.5,
    "jud_exec_cnt_m24": 2,
    "jud_months_since_exec": 20,
    "jud_defendant_cnt_m36": 1,
    "jud_dishonest_now": 1,
    "abn_cnt_m36": 2,
    "abn_days_m36": 45,
    "abn_months_since_out": 2,
    "abn_serious_now": 0,
    "hon_score_m36": 5,
    "hon_support_m36": 20,
    "hon_support_dependency": 2,  # 12 of 600
    "env_score": 8,
    "env_deduct_m24": 5,
    "env_months_since_deduct": 19,
    "env_worst_colour_m36": 2,
    "agr_land_area": 400,
    "agr_contract_years_left": 8,  # 300 mu for 10 years, 100 for 2
    "agr_insurance_cover": 60,
    "agr_subsidy_m36": 3.75,
    "agr_demo_level": 3,
    "plg_equity_ratio": 30,
    "plg_secured_open": 180,
    "plg_guarantee_to_equity": 20,  # 110 of 550
    "plg_new_m12": 2,
}

# A second firm that is only registered, where every other table is held: what each feature says of it.
UNKNOWN = {feature.code: MISSING for feature in builtin_catalogue().features}
REGISTERED_ONLY: Told = {
    **UNKNOWN,
    **{feature.code: NA for code in ("gas_usage", "customs_trade", "environmental_credit", "agri_operator")
       for feature in builtin_catalogue().category(code).features},
    "reg_age_months": 0, "reg_paid_in_ratio": NA, "reg_capital_wan": 0, "reg_key_change_cnt_m24": 0,
    "reg_months_since_rep_change": 0,
    "ip_invention_valid": 0, "ip_score": 0, "ip_grant_m36": 0, "ip_pledged_ratio": NA,
    "tec_title_score": 0, "tec_title_months_left": 0, "tec_rd_intensity": 0, "tec_rd_growth": NA,
    "per_valid_cnt": 0, "per_min_months_left": NA, "per_new_m36": 0, "per_lapsed_m12": 0,
    "pen_cnt_m12": 0, "pen_amount_m36": 0, "pen_severity_m36": 0, "pen_months_since": 120,
    "jud_unperformed": 0, "jud_exec_cnt_m24": 0, "jud_months_since_exec": 120, "jud_defendant_cnt_m36": 0,
    "jud_dishonest_now": 0,
    "abn_cnt_m36": 0, "abn_days_m36": 0, "abn_months_since_out": 120, "abn_serious_now": 0,
    "hon_score_m36": 0, "hon_support_m36": 0, "hon_support_dependency": 0,
    "plg_equity_ratio": 0, "plg_secured_open": 0, "plg_guarantee_to_equity": 0, "plg_new_m12": 0,
}  # fmt: skip


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """Both firms' features: firm 1 has all the records above, firm 2 was founded this month without capital."""
    founded = {"uscc": uscc(2), "record_id": "two", "est_date": "2026-10-08", "reg_capital": 0.0}
    records = {**RECORDS, "enterprise_registration": [*RECORDS["enterprise_registration"], founded]}
    folder = write_records(tmp_path_factory.mktemp("city"), builtin_catalogue(), **records)
    return told(folder, builtin_catalogue(), AS_OF)


def test_the_examples_are_complete() -> None:
    assert list(EXPECTED) == [feature.code for feature in builtin_catalogue().features]


@pytest.mark.parametrize("feature", EXPECTED)
def test_each_feature_by_hand(city: dict[str, Told], feature: str) -> None:
    assert city[uscc(1)][feature] == pytest.approx(EXPECTED[feature], abs=1e-9)


@pytest.mark.parametrize("feature", REGISTERED_ONLY)
def test_a_firm_that_is_only_registered(city: dict[str, Told], feature: str) -> None:
    assert city[uscc(2)][feature] == REGISTERED_ONLY[feature]
