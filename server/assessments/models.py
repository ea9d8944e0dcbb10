"""Registered models and assessments, by what passed through this platform."""

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from server.db.base import Record


class RegisteredModel(Record, table=True):
    """The encrypted model itself stays in the enclave; this is its entry in the list."""

    __tablename__ = "registered_model"
    __table_args__ = (Index("ix_registered_model_bank_page", "bank", "registered_at", "model_id"),)

    model_id: str = Field(primary_key=True, max_length=64)
    bank: str = Field(foreign_key="bank.bank_id", max_length=63)
    enclave: str = Field(max_length=63)
    parameter_set: str = Field(max_length=64)
    catalogue: str = Field(max_length=128)
    registered_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC, by the enclave's receipt."""


class Assessment(Record, table=True):
    """One assessment; a stored answer returned again is no second one."""

    __tablename__ = "assessment"

    assessment_id: str = Field(primary_key=True, max_length=64)
    authorization: str = Field(index=True, max_length=64)
    """Hex digest."""
    first_passed_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC."""
