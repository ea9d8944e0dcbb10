"""The register of banks."""

from sqlalchemy import BigInteger
from sqlmodel import Field

from server.db.base import Record


class Bank(Record, table=True):
    __tablename__ = "bank"

    bank_id: str = Field(primary_key=True, max_length=63)
    name_zh: str = Field(max_length=128)
    name_en: str = Field(max_length=128)
    certificate_thumbprint: str = Field(unique=True, max_length=43)
    """x5t#S256 (RFC 8705) of the one certificate the bank calls with; authorizations are bound to it too."""
    enabled: bool
    registered_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC."""
