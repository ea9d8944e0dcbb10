"""Loans after the offer was accepted: the rules, on SQLite and on a real PostgreSQL alike."""

from dataclasses import replace
from datetime import timedelta

import pytest
from xinyidai.loans import LoanState, RiskClass
from xinyidai.market import Repayment

from server.db import Database, StorageFailed
from server.errors import RequestInvalid
from server.loans import service as loans
from server.loans.errors import LoanClosed, LoanUnknown, ReportConflict, TermsDiffer
from server.loans.models import ReportKind
from server.loans.states import MOVES
from server.market.errors import DemandClosed, DemandUnknown, TooManyDemands
from server.paging import Page
from tests.support.lending import Lending
from tests.support.market import DAY, Market, bank

FEN = 100_000_000


@pytest.fixture
def lending(database: Database) -> Lending:
    return Lending(Market(database))


def test_from_an_accepted_offer_to_the_last_instalment(lending: Lending) -> None:
    demand = lending.won(months=3, repayment=Repayment.EQUAL_INSTALMENTS)
    loan = lending.register(demand, first=True)
    assert (loan.state, loan.amount_fen, loan.months, loan.first_loan) == ("registered", FEN, 3, True)
    assert loan.loan_id == lending.market.demand(demand).accepted_offer
    loan = lending.report(loan.loan_id, ReportKind.DISBURSEMENT)
    assert (loan.state, lending.market.state(demand)) == ("disbursed", "fulfilled")
    lending.pass_days(31)
    assert lending.loan(loan.loan_id).state == "overdue"
    for principal in (FEN // 3, FEN // 3, FEN - 2 * (FEN // 3)):
        loan = lending.repay(loan.loan_id, principal, 400_000)
        lending.check()
    assert (loan.state, loan.principal_left_fen, loan.overdue_days) == ("settled", 0, 0)


def test_days_overdue_make_a_loan_bad_and_payment_makes_it_good(lending: Lending) -> None:
    loan = lending.lend(months=24, repayment=Repayment.INTEREST_MONTHLY, annual_rate_bp=600)
    seen = []
    for days in (30, 2, 90, 180, 90):
        lending.pass_days(days)
        found = lending.loan(loan)
        seen.append((found.state, found.risk_class))
    assert seen == [
        ("disbursed", "normal"), ("overdue", "special_mention"), ("bad", "substandard"), ("bad", "doubtful"),
        ("bad", "loss"),
    ]  # fmt: skip
    assert lending.repay(loan, FEN // 2, 10_000_000).state == "repaying"
    lending.check()


def test_the_bank_may_call_a_loan_worse_than_its_days_but_not_better(lending: Lending) -> None:
    loan = lending.lend()
    assert lending.classify(loan, RiskClass.SUBSTANDARD).state == "bad"
    assert lending.classify(loan, RiskClass.NORMAL).state == "disbursed"
    lending.pass_days(31 + 91)
    lending.classify(loan, RiskClass.NORMAL)
    found = lending.loan(loan)
    assert (found.state, found.risk_class, found.reported_class) == ("bad", "substandard", "normal")


def test_a_loan_is_what_the_enterprise_accepted(lending: Lending) -> None:
    demand = lending.won()
    with pytest.raises(TermsDiffer):
        lending.register(demand, fen=FEN + 1)
    for number in (2, 3):
        with pytest.raises(DemandUnknown):
            lending.register(demand, number)
    loan = lending.register(demand, fen=FEN - 1)
    assert lending.register(demand, fen=FEN - 1) == loan
    with pytest.raises(ReportConflict):
        lending.register(demand)


def test_without_an_acceptance_there_is_no_loan(lending: Lending) -> None:
    demand = lending.won()
    lending.market.withdraw(demand)
    with pytest.raises(LoanClosed):
        lending.register(demand)
    later = lending.won()
    loan = lending.register(later)
    lending.market.withdraw(later)
    with pytest.raises(DemandClosed):
        lending.report(loan.loan_id, ReportKind.DISBURSEMENT)
    assert lending.loan(loan.loan_id).state == "registered"
    for _ in range(2):
        assert lending.report(loan.loan_id, ReportKind.CANCELLATION, request_id="c").state == "cancelled"
        lending.market.now += DAY


def test_a_report_counts_once_and_its_id_stands_for_it(lending: Lending) -> None:
    loan = lending.lend()
    for _ in range(3):
        assert lending.repay(loan, 1000, 10, request_id="mine").principal_paid_fen == 1000
    with pytest.raises(ReportConflict):
        lending.repay(loan, 1001, 10, request_id="mine")
    with pytest.raises(ReportConflict):
        lending.report(loan, ReportKind.CLASS, risk_class=RiskClass.LOSS, request_id="mine")
    assert lending.loan(loan).principal_paid_fen == 1000
    other = lending.lend(2, 2)
    lending.repay(other, 5, number=2, request_id="mine")
    lending.check()


def test_reports_that_cannot_be_are_refused_and_leave_no_trace(lending: Lending) -> None:
    loan = lending.lend()
    tomorrow, yesterday = lending.today + timedelta(days=1), lending.today - timedelta(days=1)
    before = lending.everything()
    for wrong, error in (
        ({"principal": FEN + 1}, TermsDiffer),
        ({"principal": 0}, RequestInvalid),
        ({"principal": -1}, RequestInvalid),
        ({"principal": 1, "interest": 10**13 + 1}, RequestInvalid),
        ({"principal": 1, "day": tomorrow}, RequestInvalid),
        ({"principal": 1, "day": yesterday}, TermsDiffer),
        ({"principal": 1, "request_id": ""}, RequestInvalid),
        ({"principal": 1, "request_id": "r" * 65}, RequestInvalid),
        ({"principal": 1, "number": 2}, LoanUnknown),
    ):
        with pytest.raises(error):
            lending.repay(loan, **wrong)
    with pytest.raises(LoanUnknown):
        lending.repay("0" * 32, 1)
    with pytest.raises(LoanClosed):
        lending.report(loan, ReportKind.CANCELLATION)
    assert lending.everything() == before


def test_money_is_not_paid_out_before_the_offer_was_accepted(lending: Lending) -> None:
    loan = lending.register(lending.won()).loan_id
    with pytest.raises(TermsDiffer):
        lending.report(loan, ReportKind.DISBURSEMENT, day=lending.today - timedelta(days=1))


def test_an_enterprise_confirms_exactly_what_the_bank_reported(lending: Lending) -> None:
    loan = lending.lend()
    with pytest.raises(TermsDiffer):
        lending.confirm(loan, amount_fen=FEN - 1)
    with pytest.raises(LoanUnknown):
        lending.confirm(loan, enterprise=2)
    first = lending.confirm(loan)
    lending.market.now += 5
    assert lending.confirm(loan).confirmed_at == first.confirmed_at == lending.market.now - 5
    assert first.confirmation == "signed"


def test_a_bank_lists_its_own(lending: Lending) -> None:
    mine = [lending.lend(enterprise) for enterprise in range(3)]
    lending.lend(9, 2)
    with lending.market.database.reading() as session:
        first, following = loans.list_loans(session, bank(1), [], Page(2, None))
        rest, end = loans.list_loans(session, bank(1), [], Page(2, following))
        assert {loan.loan_id for loan in first + rest} == set(mine) and end is None
        assert loans.list_loans(session, bank(1), [LoanState.SETTLED], Page(2, None)) == ([], None)


def test_every_state_has_its_moves_and_leads_to_an_end() -> None:
    assert set(MOVES) == set(LoanState)
    ends = {state for state, moves in MOVES.items() if not moves}
    assert ends == {"settled", "cancelled", "recovered", "written_off"}
    for state in MOVES:
        reached, todo = set(), {state}
        while todo:
            reached |= todo
            todo = {to for one in todo for to in MOVES[one]} - reached
        assert reached & ends


def test_the_database_refuses_to_rewrite_what_was_reported(lending: Lending) -> None:
    loan = lending.lend()
    with pytest.raises(StorageFailed, match="append-only"):
        lending.do(lambda session: session.delete(loans.reports_of(session, loan)[0]))


def test_a_bank_that_does_not_pay_out_loses_the_demand(lending: Lending) -> None:
    """And the quota is free for others; who pays out in time keeps it."""
    market = replace(lending.market, rules=replace(lending.market.rules, fulfil_seconds=3 * DAY))
    slow, quick = lending.won(1), lending.won(2)
    lending.report(lending.register(quick).loan_id, ReportKind.DISBURSEMENT)
    market.now += 3 * DAY
    assert market.sweep() >= 1
    assert (market.state(slow), market.state(quick)) == ("expired", "fulfilled")
    assert market.quota_used() == {"bank-1": FEN}
    with pytest.raises(LoanClosed):
        lending.register(slow)


def test_an_enterprise_has_so_many_demands_open_and_no_more(lending: Lending) -> None:
    market = replace(lending.market, rules=replace(lending.market.rules, open_demands=2))
    first, _ = market.post(), market.post()
    with pytest.raises(TooManyDemands):
        market.post()
    market.post(2)
    market.withdraw(first)
    market.post()
