"""Loans over REST, for the enterprise that signs."""

from typing import Annotated, Final

from fastapi import APIRouter, Security
from fastapi.security.base import SecurityBase
from fastapi.security.http import HTTPAuthorizationCredentials, HTTPBase
from pydantic import Field
from xinyidai.reasons import Reason

from server.errors import Refused
from server.loans.desk import LoanDesk, LoanView
from server.rest.routes import PROBLEMS
from server.rest.schemas import MAX_TOKEN, Strict

_READ: Final[SecurityBase] = HTTPBase(
    scheme="Loan",
    scheme_name="Loan",
    description="`Authorization: Loan <loan+jwt>` with the action `read`: spent by one request.",
    auto_error=False,
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_READ)]


class LoanMissing(Refused):
    reason = Reason.SIGNATURE_INVALID


class LoanConfirmation(Strict):
    loan: str = Field(
        min_length=1,
        max_length=MAX_TOKEN,
        description="Compact JWS of type `loan+jwt` with the action `confirm`, signed by the enterprise.",
    )


class ReportEntry(Strict):
    kind: str = Field(description="disbursement, repayment, class, cancellation, recovery")
    day: str
    principal_fen: int
    interest_fen: int
    risk_class: str


class LoanEntry(Strict):
    loan_id: str
    bank: str
    demand_id: str
    state: str
    amount_fen: int
    annual_rate_bp: int
    months: int
    repayment: str
    fee_fen: int
    disbursed_on: str = Field(description="Empty before it is paid out.")
    principal_paid_fen: int
    interest_paid_fen: int
    overdue_days: int
    risk_class: str
    confirmed: bool
    reports: tuple[ReportEntry, ...] = Field(description="What the bank reported, oldest first.")


class LoanList(Strict):
    loans: tuple[LoanEntry, ...]


def loan_routes(desk: LoanDesk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["贷款 / loans"], responses=PROBLEMS)

    @router.get("/loans", summary="本企业的贷款 / The enterprise's own loans, newest first")
    async def own(credentials: Credentials) -> LoanList:
        if credentials is None or credentials.scheme.lower() != "loan" or len(credentials.credentials) > MAX_TOKEN:
            raise LoanMissing("send the header Authorization: Loan <loan+jwt>")
        return LoanList(loans=tuple(_loan(view) for view in await desk.read(credentials.credentials)))

    @router.post("/loans", summary="确认收到贷款 / Confirm that a loan was paid out")
    async def confirm(body: LoanConfirmation) -> LoanEntry:
        return _loan(await desk.confirm(body.loan))

    return router


def _loan(view: LoanView) -> LoanEntry:
    loan = view.loan
    same = ("loan_id", "bank", "demand_id", "state", "amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen",
            "principal_paid_fen", "interest_paid_fen", "overdue_days", "risk_class")  # fmt: skip
    reports = (
        ReportEntry(
            kind=report.kind,
            day=report.day.isoformat(),
            principal_fen=report.principal_fen,
            interest_fen=report.interest_fen,
            risk_class=report.risk_class,
        )
        for report in view.reports
    )
    return LoanEntry(
        **{name: getattr(loan, name) for name in same},
        disbursed_on=loan.disbursed_on.isoformat() if loan.disbursed_on else "",
        confirmed=loan.confirmed_at is not None,
        reports=tuple(reports),
    )
