"""Accounts of the pages. What opens something (session tokens, enrolment codes, challenges) is kept as a digest."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, LargeBinary
from sqlmodel import Field

from server.db.base import BigId, Record


class AccountRole(StrEnum):
    ENTERPRISE = "enterprise"
    """Holder: a USCC."""
    OPERATOR = "operator"
    DEPARTMENT = "department"


class AccountEventKind(StrEnum):
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    ADD_PASSKEY = "add_passkey"
    REMOVE_PASSKEY = "remove_passkey"
    ADD_STAFF = "add_staff"
    REMOVE_STAFF = "remove_staff"
    READ = "read"
    """A page or list that only this role may read; `detail` says which."""


class Staff(Record, table=True):
    """A person who works at the platform or at a department, by an id that an administrator gave."""

    __tablename__ = "account_staff"

    role: str = Field(primary_key=True, max_length=16)
    staff_id: str = Field(primary_key=True, max_length=63)
    name: str = Field(max_length=128)
    enabled: bool
    enrolment_digest: str = Field(max_length=64)
    """Of the one-time code; "" once it is used."""
    enrolment_until: int = Field(sa_type=BigInteger)
    added_at: int = Field(sa_type=BigInteger)
    """Seconds since 1970-01-01 UTC, as every time here."""


class Passkey(Record, table=True):
    __tablename__ = "account_passkey"
    __table_args__ = (Index("ix_account_passkey_holder", "role", "holder"),)

    credential_id: str = Field(primary_key=True, max_length=512)
    """base64url."""
    role: str = Field(max_length=16)
    holder: str = Field(max_length=63)
    label: str = Field(max_length=64)
    public_key: bytes = Field(sa_type=LargeBinary)
    """COSE."""
    sign_count: int = Field(sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    used_at: int = Field(sa_type=BigInteger)


class Challenge(Record, table=True):
    """Sent to a browser, spent by its answer."""

    __tablename__ = "account_challenge"

    digest: str = Field(primary_key=True, max_length=64)
    kind: str = Field(max_length=16)
    role: str = Field(max_length=16)
    """Of the account it was made for; "" when that is not known yet, like `holder`."""
    holder: str = Field(max_length=63)
    until: int = Field(sa_type=BigInteger, index=True)


class AccountSession(Record, table=True):
    __tablename__ = "account_session"
    __table_args__ = (Index("ix_account_session_holder", "role", "holder"),)

    digest: str = Field(primary_key=True, max_length=64)
    """SHA-256 of the token, which only the browser has."""
    role: str = Field(max_length=16)
    holder: str = Field(max_length=63)
    method: str = Field(max_length=16)
    created_at: int = Field(sa_type=BigInteger)
    seen_at: int = Field(sa_type=BigInteger)
    until: int = Field(sa_type=BigInteger, index=True)
    """It ends here however busy it is."""


class Failure(Record, table=True):
    """Failed sign-ins, by what was tried and from where; whether that account exists makes no difference."""

    __tablename__ = "account_failure"

    key: str = Field(primary_key=True, max_length=64)
    failures: int
    since: int = Field(sa_type=BigInteger, index=True)
    locked_until: int = Field(sa_type=BigInteger)


class AccountEvent(Record, table=True):
    """Who signed in or tried to, and what operators read. Append-only by triggers, like the audit."""

    __tablename__ = "account_event"
    __table_args__ = (Index("ix_account_event_holder", "role", "holder", "event_id"),)

    event_id: int | None = Field(default=None, primary_key=True, sa_type=BigId)
    at: int = Field(sa_type=BigInteger, index=True)
    kind: str = Field(max_length=16)
    role: str = Field(max_length=16)
    holder: str = Field(max_length=63)
    """Of a failed sign-in: what was claimed; "" when nothing was."""
    outcome: str = Field(max_length=64)
    """"OK" or a reason of xinyidai.reasons."""
    address: str = Field(max_length=64)
    detail: str = Field(max_length=256)
