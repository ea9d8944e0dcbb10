"""The platform's note that an enterprise has a key."""

from sqlalchemy import BigInteger
from sqlmodel import Field

from server.db.base import Record


class Enterprise(Record, table=True):
    __tablename__ = "enterprise"

    uscc: str = Field(primary_key=True, max_length=18)
    key_thumbprint: str = Field(max_length=43)
    """RFC 7638 thumbprint of the key the enclave pinned; the platform verifies nothing with it."""
    registered_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC."""
