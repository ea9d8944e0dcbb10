"""Tables of risk sharing. Triggers of the database keep the ledger append-only and every entry balanced."""

from datetime import date

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, Index, String, Text
from sqlmodel import Field

from server.db.base import Record

ALL_BANKS = ""
"""Stands in a position for the whole scheme; a bank's id is never empty."""


class RiskScheme(Record, table=True):
    __tablename__ = "risk_scheme"

    scheme_id: str = Field(primary_key=True, max_length=32)
    version: int = Field(primary_key=True)
    valid_from: date
    valid_until: date
    """Both included; versions of a scheme do not overlap."""
    document: str = Field(sa_type=Text)
    """As it was published."""
    published_at: int = Field(sa_type=BigInteger)


class RiskPosition(Record, table=True):
    """Sums of a scheme: of one bank, and under `ALL_BANKS` of all."""

    __tablename__ = "risk_position"

    scheme_id: str = Field(primary_key=True, max_length=32)
    bank: str = Field(primary_key=True, max_length=63)
    filed_fen: int = Field(sa_type=BigInteger)
    claimed_fen: int = Field(sa_type=BigInteger)
    """Rejected claims left out."""
    warned_at: int | None = Field(default=None, sa_type=BigInteger)
    paused_at: int | None = Field(default=None, sa_type=BigInteger)
    """Since when there are no new filings; the operator resumes them."""


class RiskUsage(Record, table=True):
    """How much of a cap is used."""

    __tablename__ = "risk_usage"

    scheme_id: str = Field(primary_key=True, max_length=32)
    kind: str = Field(primary_key=True, max_length=16)
    """firm, bank or year"""
    holder: str = Field(primary_key=True, max_length=63)
    """The enterprise, the bank, or empty."""
    year: int = Field(primary_key=True)
    """0 for what is outstanding at a time."""
    used_fen: int = Field(sa_type=BigInteger)


class RiskFiling(Record, table=True):
    __tablename__ = "risk_filing"
    __table_args__ = (
        Index("ix_risk_filing_bank", "bank", "filed_at", "loan_id"),
        Index("ix_risk_filing_state", "state", "filed_at", "loan_id"),
    )

    loan_id: str = Field(primary_key=True, max_length=32, foreign_key="loan.loan_id")
    scheme_id: str = Field(max_length=32)
    scheme_version: int
    bank: str = Field(max_length=63)
    enterprise: str = Field(max_length=18)
    state: str = Field(max_length=16)
    principal_fen: int = Field(sa_type=BigInteger)
    claimed_fen: int = Field(sa_type=BigInteger)
    """0 unless claimed, approved or paid; after payment what was compensated for."""
    recovered_fen: int = Field(sa_type=BigInteger)
    approved_by: str = Field(max_length=64)
    paid_by: str = Field(max_length=64)
    """Somebody else than who approved."""
    note: str = Field(max_length=256)
    """Why a claim was rejected."""
    filed_at: int = Field(sa_type=BigInteger)
    claimed_at: int | None = Field(default=None, sa_type=BigInteger)
    paid_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)


class RiskShare(Record, table=True):
    """Who bore how much of a compensated loan."""

    __tablename__ = "risk_share"

    loan_id: str = Field(primary_key=True, max_length=32, foreign_key="risk_filing.loan_id")
    party: str = Field(primary_key=True, max_length=16)
    share_fen: int = Field(sa_type=BigInteger)
    recovered_fen: int = Field(sa_type=BigInteger)


class RiskAccount(Record, table=True):
    __tablename__ = "risk_account"
    __table_args__ = (CheckConstraint("kind <> 'fund' OR balance_fen >= 0", name="fund_covers"),)

    account_id: str = Field(primary_key=True, max_length=128)
    """<scheme>/<kind>/<holder>"""
    scheme_id: str = Field(max_length=32)
    kind: str = Field(max_length=16)
    """fund: a party's money for the scheme. given: where that came from. bank: what was paid to a bank. borne: what a
    party bears. losses: what went bad."""
    holder: str = Field(max_length=63)
    balance_fen: int = Field(sa_type=BigInteger)
    """The sum of its postings."""


class RiskEntry(Record, table=True):
    """Stored behind its postings: the database refuses it unless they sum to 0, and refuses more of them after it."""

    __tablename__ = "risk_entry"

    entry_id: str = Field(primary_key=True, max_length=32)
    scheme_id: str = Field(max_length=32)
    kind: str = Field(max_length=16)
    """contribution, compensation or recovery"""
    reference: str = Field(max_length=160, unique=True)
    """What it is for: booked once."""
    at: int = Field(sa_type=BigInteger)


class RiskPosting(Record, table=True):
    __tablename__ = "risk_posting"

    # Checked at the end of the transaction: a posting without its entry is not stored.
    entry_id: str = Field(
        sa_column=Column(
            String(32), ForeignKey("risk_entry.entry_id", deferrable=True, initially="DEFERRED"), primary_key=True
        )
    )
    account_id: str = Field(primary_key=True, max_length=128, foreign_key="risk_account.account_id")
    amount_fen: int = Field(sa_type=BigInteger)
    """Above 0: into the account; below: out of it."""
