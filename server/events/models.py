"""The outbox of events, and where banks want them pushed to."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from server.db.base import Record


class Delivery(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    """The bank's address took it, or the bank acknowledged it."""
    PARKED = "parked"
    """Pushing was given up after a day; the bank can still list it."""


class EventEndpoint(Record, table=True):
    __tablename__ = "event_endpoint"

    bank: str = Field(primary_key=True, max_length=63)
    url: str = Field(max_length=512)
    set_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC."""


class OutboxEvent(Record, table=True):
    __tablename__ = "event_outbox"
    __table_args__ = (
        Index("ix_event_outbox_position", "enclave", "position", unique=True),
        Index("ix_event_outbox_due", "state", "next_try_at"),
    )

    enclave: str = Field(primary_key=True, max_length=63)
    bank: str = Field(primary_key=True, max_length=63)
    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger)
    """Among all events of the enclave: where pulling goes on."""
    event_id: str = Field(max_length=64)
    token: str = Field(sa_type=Text)
    """Compact JWS, exactly as the enclave signed it."""
    state: str = Field(max_length=16)
    attempts: int
    first_try_at: int | None = Field(default=None, sa_type=BigInteger)
    next_try_at: int = Field(sa_type=BigInteger)
    acknowledged_at: int | None = Field(default=None, sa_type=BigInteger)
