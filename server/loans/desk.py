"""Loans and the sharing of their risk as the edges use them: each call one transaction with its line in the audit."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from sqlmodel import Session, col, or_, select
from xinyidai.identifiers import BankId
from xinyidai.loans import LOAN_TYPE, FilingState, LoanAction, LoanState, city_date, parse_loan_document

from server.audit.changes import change_audited
from server.audit.models import Kind
from server.audit.service import OK, Event
from server.db import Database
from server.errors import RequestInvalid
from server.loans import service as loans
from server.loans.errors import LoanRefused
from server.loans.models import Loan, LoanReport, ReportKind
from server.loans.service import Report
from server.loans.states import RUNNING, age_loan, take_loan
from server.market.door import EnterpriseDoor, spend
from server.paging import Page, Position
from server.risk import filings
from server.risk.models import RiskFiling, RiskShare
from server.risk.publishing import SchemeView, schemes_on

_BATCH: Final = 200
_REPORTS: Final = {
    ReportKind.DISBURSEMENT: loans.disburse,
    ReportKind.REPAYMENT: loans.repay,
    ReportKind.CLASS: loans.classify,
    ReportKind.CANCELLATION: loans.cancel,
}
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class FilingView:
    filing: RiskFiling
    shares: list[RiskShare]


@dataclass(frozen=True, slots=True)
class LoanView:
    """A loan as its enterprise sees it."""

    loan: Loan
    reports: list[LoanReport]
    """Oldest first: what the bank said."""


class LoanDesk:
    """Every method raises `Refused` or `DocumentError`."""

    def __init__(self, database: Database, door: EnterpriseDoor, clock: Callable[[], int]) -> None:
        self._database = database
        self._door = door
        self._clock = clock

    # --- Banks --------------------------------------------------------------------------------------------------------

    async def register(self, bank: BankId, demand: str, amount_fen: int, first_loan: bool) -> Loan:
        now = self._clock()
        return await self._change(
            Event(Kind.REGISTER_LOAN, OK, bank=bank),
            lambda session: loans.register_loan(session, bank, demand, amount_fen, first_loan, now),
        )

    async def report(self, bank: BankId, report: Report) -> Loan:
        """A payment out, a repayment, a class or a cancellation."""
        now = self._clock()

        def work(session: Session) -> Loan:
            loan = _REPORTS[report.kind](session, bank, report, now)
            filings.follow_loan(session, loan, now)
            return loan

        return await self._change(Event(Kind.REPORT_LOAN, OK, bank=bank), work)

    async def loans(self, bank: BankId, states: list[LoanState], page: Page) -> tuple[list[Loan], Position | None]:
        return await self._database.read(loans.list_loans, bank, states, page)

    async def schemes(self, bank: BankId) -> list[SchemeView]:
        return await self._database.read(schemes_on, bank, self.today())

    async def file(self, bank: BankId, loan: str, scheme: str) -> FilingView:
        now = self._clock()
        return await self._filing(
            Event(Kind.FILE_LOAN, OK, bank=bank), lambda session: filings.file_loan(session, bank, scheme, loan, now)
        )

    async def claim(self, bank: BankId, loan: str) -> FilingView:
        now = self._clock()
        return await self._filing(
            Event(Kind.CLAIM_COMPENSATION, OK, bank=bank), lambda session: filings.claim(session, bank, loan, now)
        )

    async def recover(self, bank: BankId, report: Report) -> FilingView:
        now = self._clock()
        return await self._filing(
            Event(Kind.REPORT_RECOVERY, OK, bank=bank), lambda session: filings.recover(session, bank, report, now)
        )

    async def filings(
        self, bank: BankId, states: list[FilingState], page: Page
    ) -> tuple[list[FilingView], Position | None]:
        def work(session: Session) -> tuple[list[FilingView], Position | None]:
            found, following = filings.list_filings(session, bank, states, page)
            return [_view(session, filing) for filing in found], following

        return await self._database.read(work)

    # --- Enterprises --------------------------------------------------------------------------------------------------

    async def confirm(self, raw: str) -> LoanView:
        """The enterprise signs that it got a loan, once."""
        now = self._clock()
        verified = self._door.verify(raw, LOAN_TYPE, parse_loan_document, now)
        document = verified.document
        if document.action is not LoanAction.CONFIRM:
            raise LoanRefused("a document that reads goes into the header of a reading request")

        def work(session: Session) -> LoanView:
            spend(session, verified)
            loan = loans.confirm(session, raw, document, now)
            return LoanView(loan, loans.reports_of(session, loan.loan_id))

        return await self._change(Event(Kind.CONFIRM_LOAN, OK, enterprise=document.enterprise), work)

    async def read(self, raw: str) -> list[LoanView]:
        """The enterprise's own loans with all reports, newest first. The document is spent."""
        verified = self._door.verify(raw, LOAN_TYPE, parse_loan_document, self._clock())
        document = verified.document
        if document.action is not LoanAction.READ:
            raise LoanRefused("reading takes a document with the action read")

        def work(session: Session) -> list[LoanView]:
            spend(session, verified)
            found = loans.enterprise_loans(session, document.enterprise)
            return [LoanView(loan, loans.reports_of(session, loan.loan_id)) for loan in found]

        return await self._change(Event(Kind.READ_LOANS, OK, enterprise=document.enterprise), work)

    def today(self) -> date:
        """The calendar day in UTC+8."""
        return city_date(self._clock())

    # --- The clock ----------------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """Work out days overdue, class and state of loans for which that was not done today."""
        return await asyncio.to_thread(age_loans, self._database, self._clock())

    # --- Inside -------------------------------------------------------------------------------------------------------

    async def _filing(self, event: Event, work: Callable[[Session], RiskFiling]) -> FilingView:
        return await self._change(event, lambda session: _view(session, work(session)))

    async def _change(self, event: Event, work: Callable[[Session], Done]) -> Done:
        return await change_audited(self._database, self._clock, event, work)


def age_loans(database: Database, now: int) -> int:
    """Each in a transaction of its own; returns how many were due. Raises `StorageFailed`."""
    today = city_date(now)
    old = or_(col(Loan.aged_on).is_(None), col(Loan.aged_on) < today)
    query = select(Loan.loan_id).where(col(Loan.state).in_(RUNNING), old)
    with database.reading() as session:
        due = list(session.exec(query.order_by(col(Loan.aged_on), col(Loan.loan_id)).limit(_BATCH)))
    for loan_id in due:
        with database.transaction("age loan") as session:
            try:
                loan = take_loan(session, loan_id, RUNNING)
            except LoanRefused:
                # Settled or compensated meanwhile.
                continue
            age_loan(session, loan, today, now)
    return len(due)


def read_states(raw: list[str]) -> list[LoanState]:
    """Raises `RequestInvalid`."""
    try:
        return [LoanState(text) for text in raw]
    except ValueError as error:
        raise RequestInvalid(f"states holds some of: {', '.join(LoanState)}") from error


def read_filing_states(raw: list[str]) -> list[FilingState]:
    """Raises `RequestInvalid`."""
    try:
        return [FilingState(text) for text in raw]
    except ValueError as error:
        raise RequestInvalid(f"states holds some of: {', '.join(FilingState)}") from error


def _view(session: Session, filing: RiskFiling) -> FilingView:
    return FilingView(filing, filings.shares_of(session, filing.loan_id))
