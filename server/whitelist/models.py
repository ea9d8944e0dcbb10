"""Tables of the white list."""

from sqlalchemy import BigInteger, Index, Text
from sqlmodel import Field

from server.db.base import BigId, Record


class ListSubscription(Record, table=True):
    """A bank's subscription at an enclave, with the newest list made for it."""

    __tablename__ = "white_list_subscription"

    bank: str = Field(primary_key=True, max_length=63)
    enclave: str = Field(primary_key=True, max_length=63)
    subscribed: bool
    due: bool
    """Something changed since the list was made."""
    version: int = Field(sa_type=BigInteger)
    parts: str = Field(sa_type=Text)
    """JSON list of the sealed parts; empty while no list stands."""
    made_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)


class ListOptIn(Record, table=True):
    """What an enterprise last said, as the enclave confirmed it: whose demands are carried to the enclave."""

    __tablename__ = "white_list_opt_in"

    enterprise: str = Field(primary_key=True, max_length=18)
    enclave: str = Field(primary_key=True, max_length=63)
    listed: bool
    changed_at: int = Field(sa_type=BigInteger)


class CarriedDemand(Record, table=True):
    """A signed demand document on its way to an enclave; gone when it has arrived."""

    __tablename__ = "white_list_outbox"
    __table_args__ = (Index("ix_white_list_outbox_enclave", "enclave", "number"),)

    number: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    enclave: str = Field(max_length=63)
    document: str = Field(sa_type=Text)
