"""Where a feature's value turns: late months, ended publicity, windows without data, records from the future."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from xinyidai.catalogue import Catalogue, builtin_catalogue

from tests.support.records import MISSING, NA, Row, Told, months, told, uscc, write_records

AS_OF = date(2026, 10, 31)

# A row a category, and one beside it that only the next month may know.
PAST: dict[str, list[Row]] = {
    "enterprise_registration": [{"est_date": "2020-01-01", "reg_capital": 10.0}],
    "annual_report": [{"report_year": 2025, "filed_date": "2026-05-01", "revenue": 100.0}],
    "administrative_penalty": [{"cf_jdrq": "2026-05-01", "cf_nr_fk": 1.0}],
    "administrative_permit": [{"xk_jdrq": "2026-05-01", "xk_xklb": "ordinary", "xk_zt": "in_force"}],
    "judicial_enforcement": [{"filing_date": "2026-05-01", "role": "executed"}],
    "abnormal_dishonesty_list": [{"in_date": "2026-05-01", "list_type": "other"}],
    "honor_policy_support": [{"grant_date": "2026-05-01", "level": "city"}],
    "environmental_credit": [{"eval_date": "2026-05-01", "score12": 9, "colour": "blue"}],
    "intellectual_property": [{"grant_date": "2026-05-01", "ip_type": "design", "legal_status": "valid"}],
    "sci_tech_innovation": [{"issue_date": "2026-05-01", "title_type": "high_tech"}],
    "pledge_guarantee": [{"reg_date": "2026-05-01", "kind": "equity_pledge", "status": "in_force"}],
    "agri_operator": [{"reg_date": "2026-05-01", "land_area": 5.0}],
    "customs_trade": [{"period_ym": 202608, "grade": "regular", "export_value": 1.0}],
    "water_usage": [{"read_date": "2026-08-01", "volume": 9.0, "arrears_amount": 1.0}],
    "tax_credit": [{"eval_year": 2025, "grade": "A", "valid_from": "2026-04-20"}],
}
FUTURE: dict[str, Row] = {
    "enterprise_registration": {"change_item": "legal_rep", "change_date": "2026-11-01"},
    "annual_report": {"report_year": 2025, "filed_date": "2026-11-01", "revenue": 900.0},
    "administrative_penalty": {"cf_jdrq": "2026-11-01", "cf_nr_fk": 50.0, "severity": "serious"},
    "administrative_permit": {"xk_jdrq": "2026-11-01", "xk_xklb": "ordinary", "xk_zt": "in_force"},
    "judicial_enforcement": {"filing_date": "2026-11-01", "role": "executed", "unperformed_amount": 9.0},
    "abnormal_dishonesty_list": {"in_date": "2026-11-01", "list_type": "major_tax"},
    "honor_policy_support": {"grant_date": "2026-11-01", "level": "national", "support_date": "2026-11-01",
                             "support_amount": 9.0},
    "environmental_credit": {"eval_date": "2026-11-01", "score12": 0, "colour": "black",
                             "event_type": "deduction", "event_date": "2026-11-01", "deduct_points": 9},
    "intellectual_property": {"grant_date": "2026-11-01", "ip_type": "invention", "legal_status": "valid"},
    "sci_tech_innovation": {"issue_date": "2026-11-01", "title_type": "little_giant"},
    "pledge_guarantee": {"reg_date": "2026-11-01", "kind": "equity_pledge", "status": "in_force",
                         "equity_share": 90.0},
    "agri_operator": {"reg_date": "2026-11-01", "land_area": 500.0, "subsidy_date": "2026-11-01",
                      "subsidy_amount": 5.0, "demo_level": "national"},
    "customs_trade": {"period_ym": 202611, "grade": "dishonest", "export_value": 9e6, "declaration_cnt": 5},
    "water_usage": {"read_date": "2026-11-01", "volume": 900.0, "arrears_amount": 900.0, "late_fee": 1.0},
    "tax_credit": {"eval_year": 2025, "grade": "D", "valid_from": "2026-11-01", "data_month": 202611,
                   "arrears_balance": 9.0},
}  # fmt: skip


def features_of_firm_1(folder: Path, **tables: Sequence[Row]) -> Told:
    return told(write_records(folder, builtin_catalogue(), **tables), builtin_catalogue(), AS_OF)[uscc(1)]


def electricity(first: int, last: int, kwh: float, **more: object) -> list[Row]:
    return [{"period_ym": ym, "kwh": kwh, **more} for ym in months(first, last)]


def unattested(category: str) -> Catalogue:
    """The catalogue, with one holder that does not attest coverage."""
    builtin = builtin_catalogue()
    categories = tuple(
        replace(found, attests_coverage=found.attests_coverage and found.code != category)
        for found in builtin.categories
    )
    return replace(builtin, categories=categories)


class TestWhatIsKnownAtTheTime:
    def test_a_correction_replaces_what_it_corrects(self, tmp_path: Path) -> None:
        row = {"record_id": "same", "reg_date": "2026-01-01", "status": "in_force", "area": 10.0}
        later = {**row, "area": 70.0, "recv_time": "2026-03-01"}
        assert features_of_firm_1(tmp_path, real_estate=[later, row])["re_area_owned"] == 70

    def test_a_correction_received_after_as_of_is_not_visible_yet(self, tmp_path: Path) -> None:
        row = {"record_id": "same", "status": "in_force", "area": 10.0, "recv_time": "2026-10-31T23:59:59"}
        later = {**row, "area": 70.0, "recv_time": "2026-11-01T00:00:00"}
        assert features_of_firm_1(tmp_path, real_estate=[row, later])["re_area_owned"] == 10

    def test_a_month_delivered_late_is_a_month_without_data(self, tmp_path: Path) -> None:
        rows = electricity(202510, 202608, 100.0) + electricity(202609, 202609, 900.0, recv_time="2026-11-05")
        found = features_of_firm_1(tmp_path, electricity_usage=rows)
        assert found["ele_kwh_avg_m12"] == 100
        assert found["ele_capacity_use"] == MISSING
        assert found["ele_volatility_m12"] == MISSING

    def test_a_month_that_is_not_settled_waits(self, tmp_path: Path) -> None:
        rows = electricity(202509, 202509, 1.0) + electricity(202510, 202609, 5.0) + electricity(202610, 202610, 99.0)
        assert features_of_firm_1(tmp_path, electricity_usage=rows)["ele_kwh_avg_m12"] == 5

    def test_records_dated_after_as_of_influence_nothing(self, tmp_path: Path) -> None:
        """A restated city, to which rows of the next month are added: every feature stays as it was."""
        before = features_of_firm_1(tmp_path / "before", **PAST)
        both = {category: [*rows, FUTURE[category]] for category, rows in PAST.items()}
        assert features_of_firm_1(tmp_path / "after", **both) == before


class TestNegativeRecords:
    def test_publicity_counts_until_the_day_it_ends(self, tmp_path: Path) -> None:
        ends = ["2026-10-30", "2026-10-31", "2026-11-01", None]
        rows = [{"cf_jdrq": "2026-01-01", "cf_gsjzq": end} for end in ends]
        assert features_of_firm_1(tmp_path, administrative_penalty=rows)["pen_cnt_m12"] == 2

    def test_no_penalty_outlives_the_longest_period_of_its_severity(self, tmp_path: Path) -> None:
        old = {"cf_jdrq": "2023-10-31"}
        dated = {**old, "uscc": uscc(2), "cf_gsjzq": "2027-01-01"}
        folder = write_records(tmp_path, builtin_catalogue(), administrative_penalty=[old, dated])
        found = told(folder, builtin_catalogue(), AS_OF)
        assert (found[uscc(1)]["pen_months_since"], found[uscc(2)]["pen_months_since"]) == (120, 120)

    def test_a_repaired_record_is_not_used(self, tmp_path: Path) -> None:
        row = {"list_type": "serious_illegal", "in_date": "2026-05-01", "repaired": True}
        found = features_of_firm_1(tmp_path, abnormal_dishonesty_list=[row])
        assert (found["abn_serious_now"], found["abn_cnt_m36"], found["abn_months_since_out"]) == (0, 0, 120)

    def test_listed_now_is_zero_months_and_a_serious_one_is_the_gate(self, tmp_path: Path) -> None:
        rows = [
            {"list_type": "wage_arrears", "in_date": "2026-10-30"},
            {"list_type": "other", "in_date": "2025-01-01", "out_date": "2025-02-01"},
        ]
        found = features_of_firm_1(tmp_path, abnormal_dishonesty_list=rows)
        assert (found["abn_serious_now"], found["abn_months_since_out"], found["abn_days_m36"]) == (1, 0, 33)

    def test_a_repaired_grade_d_leaves_its_year_unrated(self, tmp_path: Path) -> None:
        rows = [{"eval_year": 2025, "grade": "D", "repaired": True}, {"eval_year": 2024, "grade": "C"}]
        found = features_of_firm_1(tmp_path, tax_credit=rows)
        assert (found["tcr_grade_latest"], found["tcr_points_3y"]) == (1, 1 + 2 + 2)

    def test_open_arrears_and_an_open_abnormal_state_are_zero_months_back(self, tmp_path: Path) -> None:
        arrears = [{"data_month": 202609, "arrears_balance": balance} for balance in (400.0, 100.25)]
        state = {"uscc": uscc(2), "abnormal_taxpayer": True, "abnormal_date": "2026-01-01"}
        folder = write_records(tmp_path, builtin_catalogue(), tax_credit=[*arrears, state])
        found = told(folder, builtin_catalogue(), AS_OF)
        assert (found[uscc(1)]["tcr_months_since_bad"], found[uscc(1)]["tcr_arrears_balance"]) == (0, 500.25)
        assert (found[uscc(2)]["tcr_months_since_bad"], found[uscc(2)]["tcr_grade_latest"]) == (0, NA)
        assert found[uscc(2)]["tcr_arrears_balance"] == MISSING


class TestGrowth:
    @pytest.mark.parametrize(("first", "growth"), [(202410, 100.0), (202411, MISSING)])
    def test_is_undefined_without_a_full_year_before(self, tmp_path: Path, first: int, growth: float | str) -> None:
        rows = electricity(first, 202509, 1_000.0) + electricity(202510, 202609, 2_000.0)
        assert features_of_firm_1(tmp_path, electricity_usage=rows)["ele_growth_yoy"] == growth

    def test_from_next_to_nothing_is_bounded_by_the_floor(self, tmp_path: Path) -> None:
        rows = electricity(202410, 202509, 0.5) + electricity(202510, 202609, 20.0)
        # 6 kWh to 240 kWh, over the floor of 100 kWh rather than over 6.
        assert features_of_firm_1(tmp_path, electricity_usage=rows)["ele_growth_yoy"] == 234

    def test_to_nothing_at_all_is_told_from_no_data(self, tmp_path: Path) -> None:
        rows = electricity(202410, 202509, 1_000.0)
        stopped = features_of_firm_1(tmp_path / "a", electricity_usage=rows + electricity(202510, 202609, 0.0))
        silent = features_of_firm_1(tmp_path / "b", electricity_usage=rows)
        assert (stopped["ele_growth_yoy"], stopped["ele_kwh_avg_m12"]) == (-100, 0)
        assert (stopped["ele_capacity_use"], stopped["ele_volatility_m12"]) == (NA, NA)
        assert (silent["ele_growth_yoy"], silent["ele_kwh_avg_m12"]) == (MISSING, MISSING)


class TestAbsence:
    def test_a_category_without_a_file_is_missing_for_everyone(self, tmp_path: Path) -> None:
        found = features_of_firm_1(tmp_path, enterprise_registration=[{"est_date": "2020-01-01"}])
        assert found["pen_cnt_m12"] == found["gas_volume_m12"] == found["jud_dishonest_now"] == MISSING

    def test_without_attestation_no_hit_is_missing(self, tmp_path: Path) -> None:
        catalogue = unattested("administrative_penalty")
        rows = [{"cf_jdrq": "2026-05-01", "severity": "general"}, {"uscc": uscc(2), "cf_jdrq": "2025-01-01"}]
        registered = [{"uscc": uscc(3), "est_date": "2020-01-01"}]
        folder = write_records(tmp_path, catalogue, administrative_penalty=rows, enterprise_registration=registered)
        found = told(folder, catalogue, AS_OF)
        assert found[uscc(1)]["pen_cnt_m12"] == 1
        assert (found[uscc(2)]["pen_cnt_m12"], found[uscc(2)]["pen_severity_m36"]) == (MISSING, 1)
        assert found[uscc(3)]["pen_months_since"] == MISSING

    def test_two_holders_both_have_to_deliver(self, tmp_path: Path) -> None:
        fund = [{"period_ym": 202608, "payer_count": 5, "amount": 500.0}]
        assert features_of_firm_1(tmp_path, housing_fund=fund)["hf_coverage"] == MISSING

    def test_support_without_revenue_does_not_make_a_ratio(self, tmp_path: Path) -> None:
        support = [{"support_type": "subsidy", "support_amount": 5.0, "support_date": "2026-05-01"}]
        report = [{"report_year": 2025, "revenue": 0.0}]
        one = features_of_firm_1(tmp_path / "a", honor_policy_support=support)
        two = features_of_firm_1(tmp_path / "b", honor_policy_support=support, annual_report=report)
        assert (one["hon_support_dependency"], two["hon_support_dependency"]) == (MISSING, NA)

    def test_guarantees_of_a_firm_without_equity_are_not_applicable(self, tmp_path: Path) -> None:
        given = [{"kind": "external_guarantee", "status": "in_force", "secured_amount": 5.0, "reg_date": "2026-01-01"}]
        report = [{"report_year": 2025, "equity": -3.0}]
        found = features_of_firm_1(tmp_path, pledge_guarantee=given, annual_report=report)
        assert found["plg_guarantee_to_equity"] == NA

    def test_a_sum_on_an_edge_is_exact(self, tmp_path: Path) -> None:
        """Ten times 0.1 and its like must not fall one cell short."""
        rows = [{"cf_jdrq": "2026-01-01", "cf_nr_fk": 0.1, "cf_nr_wfff": 0.2}] * 10
        numbered = [{**row, "record_id": f"{at}"} for at, row in enumerate(rows)]
        assert features_of_firm_1(tmp_path, administrative_penalty=numbered)["pen_amount_m36"] == 3.0


class TestMoreExamples:
    def test_social_insurance_in_arrears_now_has_no_run(self, tmp_path: Path) -> None:
        rows = [
            {"period_ym": ym, "insurance_type": "pension", "payable": 9.0, "paid": 0.0 if ym == 202608 else 9.0}
            for ym in months(202509, 202608)
        ]
        found = features_of_firm_1(tmp_path, social_insurance=rows)
        assert (found["si_consecutive_months"], found["si_arrears_months_m24"]) == (0, 1)
        assert found["si_insured_avg_m12"] == MISSING

    def test_a_permit_that_ends_on_as_of_is_still_valid(self, tmp_path: Path) -> None:
        row = {"xk_jdrq": "2025-01-01", "xk_xklb": "ordinary", "xk_zt": "in_force", "xk_yxqzi": "2026-10-31"}
        found = features_of_firm_1(tmp_path, administrative_permit=[row])
        assert (found["per_valid_cnt"], found["per_min_months_left"], found["per_lapsed_m12"]) == (1, 0, 0)

    def test_a_permit_that_lapsed_long_ago_concerns_nobody(self, tmp_path: Path) -> None:
        row = {"xk_jdrq": "2020-01-01", "xk_xklb": "ordinary", "xk_zt": "in_force", "xk_yxqzi": "2024-10-31"}
        found = features_of_firm_1(tmp_path, administrative_permit=[row])
        assert (found["per_min_months_left"], found["per_lapsed_m12"]) == (NA, 0)

    def test_a_gas_customer_who_stopped_is_not_one_without_an_account(self, tmp_path: Path) -> None:
        found = features_of_firm_1(tmp_path, gas_usage=[{"read_date": "2023-01-28", "volume": 5.0}])
        assert found["gas_volume_m12"] == MISSING

    def test_all_property_sold_is_zero_area_without_a_free_share(self, tmp_path: Path) -> None:
        found = features_of_firm_1(tmp_path, real_estate=[{"status": "cancelled", "area": 9.0}])
        assert (found["re_area_owned"], found["re_free_ratio"], found["re_mortgage_amount"]) == (0, NA, 0)

    def test_a_land_contract_without_an_end_says_nothing_of_years_left(self, tmp_path: Path) -> None:
        endless = {"land_area": 40.0, "land_contract_to": "9999-12-31"}
        two_years = {"land_area": 60.0, "land_contract_to": "2028-10-31"}
        found = features_of_firm_1(tmp_path, agri_operator=[endless, two_years])
        assert (found["agr_land_area"], found["agr_contract_years_left"]) == (100, 2)


class TestWhatASecondReadingFound:
    """Each of these differed from the plain reference once."""

    def test_an_abnormal_state_told_of_monthly_ends_with_what_is_told_last(self, tmp_path: Path) -> None:
        told_of = {"abnormal_taxpayer": True, "abnormal_date": "2025-01-10"}
        rows = [{**told_of, "data_month": month} for month in months(202501, 202505)]
        ended = {**told_of, "abnormal_taxpayer": False, "abnormal_end_date": "2025-06-15", "data_month": 202506}
        found = features_of_firm_1(tmp_path, tax_credit=[ended, *rows])
        assert found["tcr_months_since_bad"] == 16

    def test_a_payment_dated_after_as_of_makes_no_bill_late(self, tmp_path: Path) -> None:
        row = {"period_ym": 202609, "bill": 5.0, "due_date": "2026-11-05", "pay_date": "2026-11-10"}
        assert features_of_firm_1(tmp_path, electricity_usage=[row])["ele_late_cnt_m24"] == 0

    def test_a_balance_of_an_unknown_month_is_of_no_day(self, tmp_path: Path) -> None:
        found = features_of_firm_1(tmp_path, tax_credit=[{"arrears_balance": 500.0}])
        assert found["tcr_arrears_balance"] == MISSING

    def test_a_month_without_a_volume_fills_no_year(self, tmp_path: Path) -> None:
        rows: list[Row] = [{"read_date": date(ym // 100, ym % 100, 9), "volume": 5.0} for ym in months(202409, 202608)]
        rows[3] = {**rows[3], "volume": None}
        assert features_of_firm_1(tmp_path, gas_usage=rows)["gas_growth_yoy"] == MISSING
