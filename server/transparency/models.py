"""The latest cosignature of each witness on each log."""

from sqlalchemy import BigInteger, Text
from sqlmodel import Field

from server.db.base import Record


class StoredCosignature(Record, table=True):
    """A witness only ever goes forward, so an older one says nothing more."""

    __tablename__ = "log_cosignature"

    enclave: str = Field(primary_key=True, max_length=63)
    witness: str = Field(primary_key=True, max_length=63)
    size: int = Field(sa_type=BigInteger)
    signed_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC, by the witness's clock."""
    checkpoint: str = Field(sa_type=Text)
    """The enclave's, compact JWS."""
    token: str = Field(sa_type=Text)
    """The witness's, compact JWS."""
