"""Tables of the alerts."""

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from server.db.base import Record


class SealedAlert(Record, table=True):
    __tablename__ = "sealed_alert"
    __table_args__ = (Index("ix_sealed_alert_bank", "bank", "acknowledged_at", "made_at", "alert_id"),)

    alert_id: str = Field(primary_key=True, max_length=64)
    bank: str = Field(max_length=63)
    enclave: str = Field(max_length=63)
    authorization: str = Field(max_length=64)
    """Hex digest."""
    sealed: str = Field(sa_type=Text)
    made_at: int = Field(sa_type=BigInteger)
    acknowledged_at: int = Field(sa_type=BigInteger)
    """0 until the bank said that it has it."""


class AlertCursor(Record, table=True):
    """How far an enclave's alerts were taken."""

    __tablename__ = "alert_cursor"

    enclave: str = Field(primary_key=True, max_length=63)
    last: int = Field(sa_type=BigInteger)
