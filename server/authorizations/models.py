"""A copy of each authorization an enclave accepted."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from server.db.base import Record


class State(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    REVOKED = "revoked"
    EXPIRED = "expired"


class StoredAuthorization(Record, table=True):
    """No foreign keys: which enterprises and banks exist is the enclave's and the register's business, and an
    authorization may name a bank before it is registered here."""

    __tablename__ = "authorization_copy"
    __table_args__ = (
        Index("ix_authorization_copy_bank_page", "bank", "submitted_at", "digest"),
        Index("ix_authorization_copy_bank_enterprise", "bank", "enterprise", "submitted_at", "digest"),
    )

    digest: str = Field(primary_key=True, max_length=64)
    """Hex SHA-256 of the compact JWS."""
    token: str = Field(sa_type=Text)
    """Exactly as the enterprise signed it."""
    enterprise: str = Field(max_length=18)
    bank: str = Field(max_length=63)
    state: str = Field(max_length=16)
    """As the enclave last reported it; `expires_at` is applied when reading."""
    expires_at: int = Field(sa_type=BigInteger)
    status_index: int | None = Field(default=None)
    """Where its state is published, in the list of this name; None for one older than status lists."""
    status_uri: str | None = Field(default=None, max_length=160)
    submitted_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC."""
