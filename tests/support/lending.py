"""Loans and a scheme of risk sharing over the market of `tests.support.market`, driven past the edges."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, select
from xinyidai.demands import DemandAction
from xinyidai.loans import FilingState, LoanAction, LoanDocument, LoanState, RiskClass, city_date

from server.loans import service as loans
from server.loans.desk import age_loans
from server.loans.models import Loan, LoanReport, ReportKind
from server.loans.service import Report
from server.risk import filings
from server.risk.models import (
    ALL_BANKS,
    RiskAccount,
    RiskEntry,
    RiskFiling,
    RiskPosition,
    RiskPosting,
    RiskShare,
    RiskUsage,
)
from server.risk.publishing import contribute, publish_scheme, resume
from server.risk.scheme import BANK, Scheme
from tests.support.market import DAY, Market, bank
from tests.support.parties import uscc_number

SCHEME_ID = "pool"
SCHEME = """
id = "pool"
version = 1
name_zh = "四方分担"
name_en = "Four bearers"
valid_from = 2026-01-01
valid_until = 2027-12-31
sources = ["made for these tests"]
tiers = [
    { party = "guarantor", share_bp = 4001 },
    { party = "province", share_bp = 2000 },
    { party = "national", share_bp = 1999 },
    { party = "bank", share_bp = 2000 },
]
recovery = [{ party = "bank", share_bp = 3000 }, { party = "guarantor", share_bp = 7000 }]

[caps]
loan_fen = 200_000_000
firm_fen = 300_000_000
bank_year_fen = 1_000_000_000
year_fen = 1_500_000_000

[eligibility]
guarantees = ["credit"]
months_most = 36
rate_most_bp = 1000
confirmed = false

[filing]
within_days = 30

[trigger]
overdue_days = 91
risk_class = "substandard"
claim_days = 365

[fuse]
warn_bp = 3000
pause_bp = 6000
least_filed_fen = 300_000_000
"""
_TABLES: tuple[type[SQLModel], ...] = (
    Loan, LoanReport, RiskFiling, RiskShare, RiskPosition, RiskUsage, RiskAccount, RiskEntry, RiskPosting
)  # fmt: skip
_OUTSTANDING = (FilingState.FILED, FilingState.CLAIMED, FilingState.APPROVED, FilingState.REJECTED)
_CLAIMED = (FilingState.CLAIMED, FilingState.APPROVED, FilingState.PAID, FilingState.CLOSED)
Done = TypeVar("Done")


@dataclass
class Lending:
    """Each method is one transaction at the market's time."""

    market: Market
    published: set[int] = field(default_factory=set)
    reports: int = 0

    @property
    def today(self) -> date:
        return city_date(self.market.now)

    def do(self, work: Callable[[Session], Done]) -> Done:
        with self.market.database.transaction("lending") as session:
            return work(session)

    def publish(self, text: str = SCHEME) -> Scheme:
        return self.do(lambda session: publish_scheme(session, text.encode(), self.market.now))

    def won(self, enterprise: int = 1, number: int = 1, *, fen: int = 100_000_000, **offer: Any) -> str:
        """A demand this bank won with an offer of that amount."""
        if number not in self.published:
            self.published.add(number)
            valid = self.market.now + 3000 * DAY
            self.market.publish(number, amount_least_fen=1, valid_until=valid, quota_fen=10**12)
        until = self.market.now + DAY
        demand = self.market.post(enterprise, amount_fen=fen, expires_at=until, places=5)
        self.market.grab(number, demand)
        made = self.market.offer(number, demand, amount_fen=fen, valid_until=until, **offer)
        self.market.accept(demand, made.offer_id, enterprise=enterprise)
        return demand

    def lend(self, enterprise: int = 1, number: int = 1, *, fen: int = 100_000_000, **offer: Any) -> str:
        """A loan that was paid out today."""
        demand = self.won(enterprise, number, fen=fen, **offer)
        loan = self.register(demand, number)
        return self.report(loan.loan_id, ReportKind.DISBURSEMENT, number).loan_id

    def register(self, demand: str, number: int = 1, *, fen: int = 0, first: bool = False) -> Loan:
        return self.do(lambda s: loans.register_loan(s, bank(number), demand, fen, first, self.market.now))

    def told(self, loan: str, kind: ReportKind, **members: Any) -> Report:
        """What a bank says about today, under a new request id unless one is given."""
        self.reports += 1
        report = Report(loan, f"r{self.reports}", kind, self.today)
        return replace(report, **members)

    def report(self, loan: str, kind: ReportKind, number: int = 1, **members: Any) -> Loan:
        report = self.told(loan, kind, **members)
        rules = {
            ReportKind.DISBURSEMENT: loans.disburse,
            ReportKind.REPAYMENT: loans.repay,
            ReportKind.CLASS: loans.classify,
            ReportKind.CANCELLATION: loans.cancel,
        }

        def work(session: Session) -> Loan:
            done = rules[kind](session, bank(number), report, self.market.now)
            filings.follow_loan(session, done, self.market.now)
            return done

        return self.do(work)

    def repay(self, loan: str, principal: int, interest: int = 0, number: int = 1, **members: Any) -> Loan:
        members = {"principal_fen": principal, "interest_fen": interest, **members}
        return self.report(loan, ReportKind.REPAYMENT, number, **members)

    def classify(self, loan: str, found: RiskClass, number: int = 1) -> Loan:
        return self.report(loan, ReportKind.CLASS, number, risk_class=found)

    def confirm(self, loan: str, enterprise: int = 1, **changes: Any) -> Loan:
        facts = replace(loans.facts_of(self.loan(loan)), **changes)
        read = self.market.document(DemandAction.READ, uscc_number(enterprise))
        document = LoanDocument(read.stamp, read.enterprise, LoanAction.CONFIRM, facts)
        return self.do(lambda session: loans.confirm(session, "signed", document, self.market.now))

    def file(self, loan: str, number: int = 1, scheme: str = SCHEME_ID) -> RiskFiling:
        return self.do(lambda s: filings.file_loan(s, bank(number), scheme, loan, self.market.now))

    def claim(self, loan: str, number: int = 1) -> RiskFiling:
        return self.do(lambda session: filings.claim(session, bank(number), loan, self.market.now))

    def approve(self, loan: str, by: str = "Zhao") -> RiskFiling:
        return self.do(lambda session: filings.approve(session, loan, by))

    def reject(self, loan: str, note: str = "papers are missing") -> RiskFiling:
        return self.do(lambda session: filings.reject(session, loan, note, self.market.now))

    def pay(self, loan: str, by: str = "Qian") -> RiskFiling:
        return self.do(lambda session: filings.pay(session, loan, by, self.market.now))

    def recover(self, loan: str, fen: int, number: int = 1, **members: Any) -> RiskFiling:
        report = self.told(loan, ReportKind.RECOVERY, principal_fen=fen, **members)
        return self.do(lambda session: filings.recover(session, bank(number), report, self.market.now))

    def write_off(self, loan: str) -> RiskFiling:
        return self.do(lambda session: filings.write_off(session, loan, self.market.now))

    def contribute(self, party: str, fen: int, reference: str) -> bool:
        return self.do(lambda s: contribute(s, SCHEME_ID, party, fen, reference, self.market.now))

    def fill_funds(self, fen: int = 10**10) -> None:
        for party in ("guarantor", "province", "national"):
            self.contribute(party, fen, "first")

    def resume(self, holder: str = ALL_BANKS) -> None:
        self.do(lambda session: resume(session, SCHEME_ID, holder))

    def pass_days(self, days: int) -> None:
        self.market.now += days * DAY
        age_loans(self.market.database, self.market.now)

    def loan(self, loan: str) -> Loan:
        with self.market.database.reading() as session:
            return session.get_one(Loan, loan)

    def filing(self, loan: str) -> RiskFiling:
        with self.market.database.reading() as session:
            return session.get_one(RiskFiling, loan)

    def filing_or_none(self, loan: str) -> RiskFiling | None:
        with self.market.database.reading() as session:
            return session.get(RiskFiling, loan)

    def shares(self, loan: str) -> dict[str, tuple[int, int]]:
        """Party to what it bore and what of it was recovered."""
        with self.market.database.reading() as session:
            return {s.party: (s.share_fen, s.recovered_fen) for s in filings.shares_of(session, loan)}

    def balances(self) -> dict[str, int]:
        with self.market.database.reading() as session:
            return {a.account_id: a.balance_fen for a in session.exec(select(RiskAccount))}

    def everything(self) -> list[str]:
        """Every row of loans and risk sharing, to be compared with what it was before."""
        with self.market.database.reading() as session:
            return sorted(f"{type(row).__name__} {row!r}" for table in _TABLES for row in session.exec(select(table)))

    def check(self) -> None:
        """What holds at every moment, whatever happened before."""
        with self.market.database.reading() as session:
            for loan in session.exec(select(Loan)):
                _check_loan(session, loan)
            found = list(session.exec(select(RiskFiling)))
            for filing in found:
                _check_filing(session, filing)
            _check_ledger(session, found)
            _check_usage(session, found)


def _check_loan(session: Session, loan: Loan) -> None:
    state = LoanState(loan.state)
    assert 0 <= loan.principal_paid_fen <= loan.amount_fen and loan.interest_paid_fen >= 0
    reported = session.exec(
        select(LoanReport).where(LoanReport.loan_id == loan.loan_id, LoanReport.kind == "repayment")
    )
    assert sum(report.principal_fen for report in reported) == loan.principal_paid_fen
    assert (state is LoanState.SETTLED) == (loan.principal_left_fen == 0)
    assert (loan.disbursed_on is None) == (state in (LoanState.REGISTERED, LoanState.CANCELLED))
    if state in (LoanState.DISBURSED, LoanState.REPAYING):
        assert loan.overdue_days == 0 and RiskClass(loan.risk_class) in (RiskClass.NORMAL, RiskClass.SPECIAL_MENTION)
    filing = session.get(RiskFiling, loan.loan_id)
    if state is LoanState.COMPENSATED:
        assert filing is not None and filing.state == FilingState.PAID
    if state in (LoanState.RECOVERED, LoanState.WRITTEN_OFF):
        assert filing is not None and filing.state == FilingState.CLOSED


def _check_filing(session: Session, filing: RiskFiling) -> None:
    state, loan = FilingState(filing.state), session.get_one(Loan, filing.loan_id)
    shares = filings.shares_of(session, filing.loan_id)
    paid = state in (FilingState.PAID, FilingState.CLOSED)
    assert bool(shares) == paid
    assert (filing.claimed_fen > 0) == (state in _CLAIMED)
    assert (state is FilingState.RELEASED) == (loan.state == LoanState.SETTLED)
    if paid:
        assert sum(share.share_fen for share in shares) == filing.claimed_fen <= filing.principal_fen
        assert sum(share.recovered_fen for share in shares) == filing.recovered_fen
        assert all(0 <= share.recovered_fen <= share.share_fen for share in shares)


def _check_ledger(session: Session, found: list[RiskFiling]) -> None:
    """Balances follow from the postings, and from the shares without the ledger."""
    entries: Counter[str] = Counter()
    accounts: Counter[str] = Counter()
    for posting in session.exec(select(RiskPosting)):
        entries[posting.entry_id] += posting.amount_fen
        accounts[posting.account_id] += posting.amount_fen
    assert set(entries.values()) <= {0} and set(entries) == set(session.exec(select(RiskEntry.entry_id)))
    balances = {account.account_id: account.balance_fen for account in session.exec(select(RiskAccount))}
    assert {name: accounts[name] for name in balances} == balances and sum(balances.values()) == 0
    expected: Counter[str] = Counter()
    for filing in found:
        for share in filings.shares_of(session, filing.loan_id):
            net = share.share_fen - share.recovered_fen
            expected[f"{SCHEME_ID}/borne/{share.party}"] += net
            expected[f"{SCHEME_ID}/losses/"] -= net
            if share.party != BANK:
                expected[f"{SCHEME_ID}/bank/{filing.bank}"] += net
                expected[f"{SCHEME_ID}/fund/{share.party}"] -= net
    for name, balance in balances.items():
        kind, party = name.split("/")[1:]
        if kind == "fund":
            assert balance >= 0
            balance += balances[f"{SCHEME_ID}/given/{party}"]
        assert kind == "given" or balance == expected[name]


def _check_usage(session: Session, found: list[RiskFiling]) -> None:
    positions = {p.bank: p for p in session.exec(select(RiskPosition))}
    for holder, position in positions.items():
        mine = [filing for filing in found if holder in (ALL_BANKS, filing.bank)]
        assert position.filed_fen == sum(filing.principal_fen for filing in mine)
        assert position.claimed_fen == sum(filing.claimed_fen for filing in mine if filing.state in _CLAIMED)
    for usage in session.exec(select(RiskUsage)):
        assert 0 <= usage.used_fen <= {"firm": 3, "bank": 10, "year": 15}[usage.kind] * 10**8
        if usage.kind == "firm":
            mine = [f for f in found if f.enterprise == usage.holder and f.state in _OUTSTANDING]
            assert usage.used_fen == sum(filing.principal_fen for filing in mine)
