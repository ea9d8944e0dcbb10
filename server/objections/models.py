"""The progress of objections as the enclaves report it, and a record of every look an operator took at it."""

from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from server.db.base import BigId, Record


class ObjectionProgress(Record, table=True):
    __tablename__ = "objection_progress"
    __table_args__ = (
        Index("ix_objection_progress_change", "enclave", "change"),
        Index("ix_objection_progress_due", "state", "decide_by"),
    )

    objection_id: str = Field(primary_key=True, max_length=64)
    """Random, from the enclave."""
    enclave: str = Field(max_length=63)
    enterprise: str = Field(max_length=18)
    state: str = Field(max_length=16)
    """marked, transferred, decided or withdrawn: neither record, nor category, nor outcome is known here."""
    opened_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC, like what follows; 0: not yet."""
    transferred_at: int = Field(sa_type=BigInteger)
    decide_by: int = Field(sa_type=BigInteger)
    cap_at: int = Field(sa_type=BigInteger)
    decided_at: int = Field(sa_type=BigInteger)
    change: int = Field(sa_type=BigInteger)
    """Of the enclave: where asking goes on."""


class ObjectionLook(Record, table=True):
    """Append-only by use: no function changes or deletes a row."""

    __tablename__ = "objection_look"

    look_id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: int = Field(sa_type=BigInteger, index=True)
    operator: str = Field(max_length=64)
    what: str = Field(max_length=64)
