"""Risk sharing: the rules, and what stops a bank, an operator or a mistake; on SQLite and PostgreSQL alike."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text
from xinyidai.loans import FilingState, RiskClass

from server.db import Database, StorageFailed
from server.errors import Refused, RequestInvalid
from server.loans.errors import LoanClosed, LoanUnknown, ReportConflict
from server.risk.errors import (
    CapReached,
    FilingClosed,
    FilingUnknown,
    FundShort,
    FusePaused,
    Ineligible,
    SchemeInvalid,
    SchemeUnknown,
)
from server.risk.filings import MOVES
from server.risk.ledger import Account, book
from server.risk.publishing import schemes_on
from tests.support.lending import SCHEME, SCHEME_ID, Lending
from tests.support.market import Market, bank

FEN = 100_000_001


@pytest.fixture
def lending(database: Database) -> Lending:
    made = Lending(Market(database))
    made.publish()
    made.fill_funds()
    return made


def bad(lending: Lending, enterprise: int = 1, number: int = 1, fen: int = FEN) -> str:
    """A filed loan that went bad."""
    loan = lending.lend(enterprise, number, fen=fen)
    lending.file(loan, number)
    lending.classify(loan, RiskClass.SUBSTANDARD, number)
    return loan


def compensated(lending: Lending, fen: int = FEN) -> str:
    loan = bad(lending, fen=fen)
    lending.claim(loan)
    lending.approve(loan)
    lending.pay(loan)
    return loan


# --- Schemes ----------------------------------------------------------------------------------------------------------


def test_versions_follow_each_other_without_overlap_and_are_final(lending: Lending) -> None:
    assert lending.publish().version == 1
    second = SCHEME.replace("version = 1", "version = 2")
    for text_, said in (
        (SCHEME.replace("4001", "4002").replace("1999", "1998"), "published"),
        (second, "in force until"),
        (second.replace("version = 2", "version = 3"), "next version is 2"),
    ):
        with pytest.raises(SchemeInvalid, match=said):
            lending.publish(text_)
    later = second.replace("2027-12-31", "2029-12-31").replace("2026-01-01", "2028-01-01")
    assert lending.publish(later).version == 2
    loan = lending.lend()
    assert lending.file(loan).scheme_version == 1
    lending.market.now += 700 * 86_400
    assert lending.file(lending.lend(2)).scheme_version == 2
    with pytest.raises(SchemeUnknown):
        lending.file(lending.lend(3), scheme="nothing")


# --- Filing -----------------------------------------------------------------------------------------------------------


def test_a_loan_is_filed_once_and_repeating_is_harmless(lending: Lending) -> None:
    loan = lending.lend(fen=FEN)
    lending.repay(loan, 1)
    filing = lending.file(loan)
    assert (filing.state, filing.principal_fen) == ("filed", FEN - 1)
    assert lending.file(loan) == filing
    lending.publish(SCHEME.replace('id = "pool"', 'id = "other"'))
    with pytest.raises(FilingClosed):
        lending.file(loan, scheme="other")
    with pytest.raises(LoanUnknown):
        lending.file(loan, 2)
    lending.check()


def test_what_a_scheme_does_not_cover_is_refused_with_the_reason(lending: Lending) -> None:
    strict = SCHEME
    for found, instead in (
        ('id = "pool"', 'id = "strict"'),
        ("confirmed = false", 'confirmed = true\nregions = ["3201"]'),
        ("months_most = 36", "months_most = 6"),
        ("rate_most_bp = 1000", "rate_most_bp = 400"),
    ):
        strict = strict.replace(found, instead)
    lending.publish(strict)
    loan = lending.lend()
    with pytest.raises(Ineligible, match="months, rate, region, confirmed"):
        lending.file(loan, scheme="strict")


def test_a_bank_cannot_file_what_it_knows_to_be_lost(lending: Lending) -> None:
    late = lending.lend()
    lending.pass_days(31)
    with pytest.raises(LoanClosed):
        lending.file(late)
    known = lending.lend(2)
    lending.classify(known, RiskClass.DOUBTFUL)
    with pytest.raises(LoanClosed):
        lending.file(known)
    slow = lending.lend(3)
    lending.pass_days(30)
    assert lending.file(slow).state == "filed"
    slower = lending.lend(4)
    lending.pass_days(31)
    lending.repay(slower, 50_000_000)
    with pytest.raises(Ineligible, match="30 days"):
        lending.file(slower)


def test_caps_hold_to_the_fen(lending: Lending) -> None:
    with pytest.raises(CapReached, match="one loan"):
        lending.file(lending.lend(fen=200_000_001))
    first = lending.lend(fen=200_000_000)
    lending.file(first)
    second = lending.lend(fen=100_000_001)
    with pytest.raises(CapReached, match="firm"):
        lending.file(second)
    lending.repay(second, 1)
    lending.file(second)
    lending.repay(first, 200_000_000)
    lending.file(lending.lend(fen=200_000_000))
    for enterprise in (2, 3):
        lending.file(lending.lend(enterprise, fen=200_000_000))
    with pytest.raises(CapReached, match="bank"):
        lending.file(lending.lend(4, fen=100_000_001))
    for enterprise in (5, 6):
        lending.file(lending.lend(enterprise, 2, fen=200_000_000), 2)
    lending.file(lending.lend(7, 2, fen=199_999_999), 2)
    with pytest.raises(CapReached, match="year"):
        lending.file(lending.lend(8, 2, fen=2), 2)
    lending.check()


# --- Compensation -----------------------------------------------------------------------------------------------------


def test_from_a_bad_loan_to_its_recovery(lending: Lending) -> None:
    loan = compensated(lending)
    assert lending.filing(loan).state == "paid" and lending.loan(loan).state == "compensated"
    assert lending.shares(loan) == {
        "bank": (20_000_000, 0), "guarantor": (40_010_001, 0), "national": (19_990_000, 0), "province": (20_000_000, 0)
    }  # fmt: skip
    assert lending.balances()[f"{SCHEME_ID}/bank/bank-1"] == FEN - 20_000_000
    lending.recover(loan, 10_000_001)
    assert lending.shares(loan)["guarantor"][1] + lending.shares(loan)["bank"][1] == 10_000_001
    lending.check()
    with pytest.raises(FilingClosed, match="more than was compensated"):
        lending.recover(loan, FEN)
    lending.recover(loan, FEN - 10_000_001)
    assert (lending.filing(loan).state, lending.loan(loan).state) == ("closed", "recovered")
    assert all(share == recovered for share, recovered in lending.shares(loan).values())
    lending.check()


def test_compensation_needs_its_trigger_and_its_time(lending: Lending) -> None:
    loan = lending.lend()
    lending.file(loan)
    lending.pass_days(31 + 45)
    with pytest.raises(Ineligible, match="91 days"):
        lending.claim(loan)
    lending.pass_days(46)
    assert lending.claim(loan) == lending.claim(loan)
    other = lending.lend(2)
    lending.file(other)
    lending.pass_days(30 + 367)
    with pytest.raises(Ineligible, match="365 days"):
        lending.claim(other)
    unfiled = lending.lend(3)
    lending.classify(unfiled, RiskClass.LOSS)
    with pytest.raises(FilingUnknown):
        lending.claim(unfiled)
    with pytest.raises(FilingUnknown):
        lending.claim(loan, 2)


def test_what_came_in_since_the_claim_is_not_compensated(lending: Lending) -> None:
    loan = bad(lending)
    lending.claim(loan)
    lending.repay(loan, 1_000_001)
    lending.approve(loan)
    assert lending.pay(loan).claimed_fen == FEN - 1_000_001
    lending.check()
    with pytest.raises(LoanClosed):
        lending.repay(loan, 1)


def test_a_loan_repaid_before_payment_needs_none(lending: Lending) -> None:
    loan = bad(lending)
    lending.claim(loan)
    lending.approve(loan)
    lending.repay(loan, FEN)
    assert lending.filing(loan).state == "released"
    with pytest.raises((FilingClosed, LoanClosed)):
        lending.pay(loan)
    lending.check()


def test_nobody_pays_what_they_approved_themselves(lending: Lending) -> None:
    loan = bad(lending)
    lending.claim(loan)
    with pytest.raises(FilingClosed):
        lending.pay(loan)
    lending.approve(loan, "Zhao")
    with pytest.raises(FilingClosed, match="somebody else"):
        lending.pay(loan, " Zhao ")
    with pytest.raises(RequestInvalid):
        lending.pay(loan, " ")
    lending.pay(loan, "Qian")
    with pytest.raises((FilingClosed, LoanClosed)):
        lending.pay(loan, "Qian")
    lending.check()


def test_a_rejected_claim_says_why_and_may_come_again(lending: Lending) -> None:
    loan = bad(lending)
    lending.claim(loan)
    with pytest.raises(RequestInvalid):
        lending.reject(loan, "")
    assert lending.reject(loan, "no proof").note == "no proof"
    lending.check()
    assert (lending.claim(loan).state, lending.filing(loan).note) == ("claimed", "")


def test_a_fund_that_does_not_suffice_pays_nothing_at_all(database: Database) -> None:
    lending = Lending(Market(database))
    lending.publish()
    for party, fen in (("guarantor", 10**10), ("province", 20_000_000), ("national", 19_989_999)):
        lending.contribute(party, fen, "first")
    loan = bad(lending)
    lending.claim(loan)
    lending.approve(loan)
    before = lending.everything()
    with pytest.raises(FundShort, match="national"):
        lending.pay(loan)
    assert lending.everything() == before
    assert lending.contribute("national", 1, "second") and not lending.contribute("national", 1, "second")
    lending.pay(loan)
    assert lending.balances()[f"{SCHEME_ID}/fund/national"] == 0
    lending.check()


def test_contributions_come_from_those_who_have_a_fund(lending: Lending) -> None:
    for party in ("bank", "city", "nobody"):
        with pytest.raises(RequestInvalid):
            lending.contribute(party, 1, "r")
    with pytest.raises(RequestInvalid):
        lending.contribute("province", 0, "r")


def test_what_comes_in_after_a_write_off_is_the_banks_to_explain(lending: Lending) -> None:
    loan = compensated(lending)
    lending.recover(loan, 5, request_id="one")
    assert lending.recover(loan, 5, request_id="one").recovered_fen == 5
    with pytest.raises(ReportConflict):
        lending.recover(loan, 6, request_id="one")
    lending.write_off(loan)
    assert (lending.filing(loan).state, lending.loan(loan).state) == ("closed", "written_off")
    with pytest.raises(LoanClosed):
        lending.recover(loan, 5)
    lending.check()


# --- Fuses ------------------------------------------------------------------------------------------------------------


def test_when_too_much_goes_bad_new_filings_pause_until_the_operator_resumes(lending: Lending) -> None:
    first = [bad(lending, enterprise) for enterprise in (1, 2)]
    lending.file(lending.lend(3, fen=FEN))
    lending.claim(first[0])
    lending.file(lending.lend(4, fen=1))
    lending.claim(first[1])
    waiting = lending.lend(5, fen=1)
    with pytest.raises(FusePaused):
        lending.file(waiting)
    with lending.market.database.reading() as session:
        assert [view.paused for view in schemes_on(session, bank(1), lending.today)] == [True]
    with pytest.raises(FilingClosed):
        lending.resume("bank-2")
    lending.resume()
    with pytest.raises(FusePaused):
        lending.file(waiting)
    lending.resume("bank-1")
    assert lending.file(waiting).state == "filed"
    lending.check()


# --- The ledger -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amounts", [{"a": 1}, {"a": 1, "b": -2}, {"a": 0, "b": 0}, {}])
def test_an_entry_that_does_not_balance_is_not_booked(lending: Lending, amounts: dict[str, int]) -> None:
    moved = {Account("given", name): amount for name, amount in amounts.items()}
    with pytest.raises(ValueError, match="takes from one"):
        lending.do(lambda session: book(session, SCHEME_ID, "test", "test", moved, 1))


_ACCOUNT = "INSERT INTO risk_account VALUES ('x/given/{0}', 'x', 'given', '{0}', 0)"
_POSTING = "INSERT INTO risk_posting VALUES ('{entry}', 'x/given/{account}', {amount})"
_ENTRY = "INSERT INTO risk_entry VALUES ('{0}', 'x', 'test', '{0}', 1)"
_BOTH = [_POSTING.format(entry="e", account="a", amount=5), _POSTING.format(entry="e", account="b", amount=-5)]


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ([_ENTRY.format("e")], "does not balance"),
        ([_BOTH[0], _ENTRY.format("e")], "does not balance"),
        ([_BOTH[0], _BOTH[1].replace("-5", "-4"), _ENTRY.format("e")], "does not balance"),
        ([*_BOTH, _ENTRY.format("e"), _POSTING.format(entry="e", account="c", amount=1)], "closed"),
        (_BOTH, "(?i)foreign key"),
        ([*_BOTH, _ENTRY.format("e"), "UPDATE risk_posting SET amount_fen = 6"], "append-only"),
        ([*_BOTH, _ENTRY.format("e"), "DELETE FROM risk_entry"], "append-only"),
        (["UPDATE risk_account SET balance_fen = -1 WHERE kind = 'fund'"], "fund_covers"),
    ],
)
def test_the_database_itself_keeps_the_ledger(lending: Lending, statements: list[str], said: str) -> None:
    def work(session: object) -> None:
        for name in "abc":
            session.execute(text(_ACCOUNT.format(name)))  # type: ignore[attr-defined]
        for statement in statements:
            session.execute(text(statement))  # type: ignore[attr-defined]

    before = lending.everything()
    with pytest.raises(StorageFailed, match=said):
        lending.do(work)
    assert lending.everything() == before


def test_every_state_of_a_filing_has_its_moves() -> None:
    assert set(MOVES) == set(FilingState)
    assert {state for state, moves in MOVES.items() if not moves} == {"released", "closed"}


def test_no_step_is_taken_twice_or_out_of_turn(lending: Lending) -> None:
    """Every step in every state: it is refused, or repeats harmlessly, or moves on; the sums always hold."""
    steps: dict[str, Callable[[str], object]] = {
        "claim": lending.claim, "approve": lending.approve, "reject": lending.reject, "pay": lending.pay,
        "recover": partial(lending.recover, fen=3), "write_off": lending.write_off,
    }  # fmt: skip
    for before in ([], ["claim"], ["claim", "approve"], ["claim", "approve", "pay"], ["claim", "reject"]):
        for name, step in steps.items():
            loan = bad(lending, lending.reports + 100, lending.reports + 2, fen=50_001)
            bank_steps = {"claim": partial(lending.claim, number=int(lending.filing(loan).bank[5:]))}
            for done in before:
                bank_steps.get(done, steps[done])(loan)
            try:
                bank_steps.get(name, step)(loan)
            except Refused:
                pass
    lending.check()
