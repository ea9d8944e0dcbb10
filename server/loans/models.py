"""Tables of loans. The schedule is not stored: it follows from the terms (xinyidai.cost, xinyidai.loans)."""

from datetime import date
from enum import StrEnum

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field

from server.db.base import BigId, Record


class ReportKind(StrEnum):
    DISBURSEMENT = "disbursement"
    REPAYMENT = "repayment"
    CLASS = "class"
    CANCELLATION = "cancellation"
    RECOVERY = "recovery"


class Loan(Record, table=True):
    __tablename__ = "loan"
    __table_args__ = (
        Index("ix_loan_bank", "bank", "registered_at", "loan_id"),
        Index("ix_loan_enterprise", "enterprise", "registered_at", "loan_id"),
        Index("ix_loan_state", "state", "aged_on"),
    )

    loan_id: str = Field(primary_key=True, max_length=32, foreign_key="market_offer.offer_id")
    """That of the accepted offer."""
    demand_id: str = Field(max_length=32, foreign_key="market_demand.demand_id")
    bank: str = Field(max_length=63)
    enterprise: str = Field(max_length=18)
    state: str = Field(max_length=16)
    amount_fen: int = Field(sa_type=BigInteger)
    annual_rate_bp: int
    months: int
    repayment: str = Field(max_length=32)
    fee_fen: int = Field(sa_type=BigInteger)
    guarantee: str = Field(max_length=32)
    region: str = Field(max_length=6)
    industry: str = Field(max_length=1)
    first_loan: bool
    """As the bank declared it."""
    disbursed_on: date | None = Field(default=None)
    principal_paid_fen: int = Field(sa_type=BigInteger)
    interest_paid_fen: int = Field(sa_type=BigInteger)
    reported_class: str = Field(max_length=16)
    """By the bank."""
    risk_class: str = Field(max_length=16)
    """The worse of that and what the days overdue demand."""
    overdue_since: date | None = Field(default=None)
    overdue_days: int
    """On `aged_on`."""
    aged_on: date | None = Field(default=None)
    """The day for which class, days overdue and state were last worked out."""
    registered_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    confirmed_at: int | None = Field(default=None, sa_type=BigInteger)
    confirmation: str | None = Field(default=None, sa_type=Text)
    """As the enterprise signed it."""

    @property
    def principal_left_fen(self) -> int:
        return self.amount_fen - self.principal_paid_fen


class LoanReport(Record, table=True):
    """Everything a bank reported, once for each of its request ids; never changed. The database refuses to."""

    __tablename__ = "loan_report"
    __table_args__ = (UniqueConstraint("bank", "request_id"), Index("ix_loan_report_loan", "loan_id", "report_id"))

    report_id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    bank: str = Field(max_length=63)
    request_id: str = Field(max_length=64)
    loan_id: str = Field(max_length=32, foreign_key="loan.loan_id")
    kind: str = Field(max_length=16)
    day: date
    """On which it happened, as reported."""
    principal_fen: int = Field(sa_type=BigInteger)
    interest_fen: int = Field(sa_type=BigInteger)
    risk_class: str = Field(max_length=16)
    """Empty unless `kind` is class."""
    at: int = Field(sa_type=BigInteger)
