"""Tables of the market. Terms are kept as JSON, as xinyidai.market reads them; what is searched stands beside them."""

from enum import StrEnum

from sqlalchemy import BigInteger, Index, Text, UniqueConstraint
from sqlmodel import Field

from server.db.base import Record


class ProductState(StrEnum):
    OPEN = "open"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    """Its validity is over."""


class Place(StrEnum):
    """Where a bank stands with one version of a demand."""

    OPEN = "open"
    """It may grab."""
    HELD = "held"
    """It is at work, until `held_until`."""
    OFFERED = "offered"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """It held a place, or had an offer standing, and the time passed."""
    WON = "won"
    CLOSED = "closed"
    """Another bank won, the demand ended or changed, or the product no longer fits."""


class NoticeKind(StrEnum):
    MATCHED = "matched"
    HELD = "held"
    AUTHORIZED = "authorized"
    ACCEPTED = "accepted"
    ENDED = "ended"


class Product(Record, table=True):
    __tablename__ = "market_product"
    __table_args__ = (Index("ix_market_product_state", "state", "valid_until"),)

    product_id: str = Field(primary_key=True, max_length=96)
    """<bank>:<code>"""
    bank: str = Field(max_length=63)
    version: int
    state: str = Field(max_length=16)
    terms: str = Field(sa_type=Text)
    quota_fen: int = Field(sa_type=BigInteger)
    quota_used_fen: int = Field(sa_type=BigInteger)
    """Never above `quota_fen` but by a later version that lowers it."""
    valid_until: int = Field(sa_type=BigInteger)
    changed_at: int = Field(sa_type=BigInteger)


class ProductVersion(Record, table=True):
    __tablename__ = "market_product_version"

    product_id: str = Field(primary_key=True, max_length=96)
    version: int = Field(primary_key=True)
    terms: str = Field(sa_type=Text)
    published_at: int = Field(sa_type=BigInteger)


class Demand(Record, table=True):
    __tablename__ = "market_demand"
    __table_args__ = (
        Index("ix_market_demand_enterprise", "enterprise", "posted_at", "demand_id"),
        Index("ix_market_demand_state", "state", "expires_at"),
    )

    demand_id: str = Field(primary_key=True, max_length=32)
    enterprise: str = Field(max_length=18)
    version: int
    state: str = Field(max_length=16)
    places: int
    places_taken: int
    """Banks that hold a place or have an offer standing."""
    terms: str = Field(sa_type=Text)
    amount_fen: int = Field(sa_type=BigInteger)
    months: int
    purpose: str = Field(max_length=32)
    region: str = Field(max_length=6)
    industry: str = Field(max_length=1)
    expires_at: int = Field(sa_type=BigInteger)
    assign_at: int = Field(sa_type=BigInteger)
    """From when on the platform assigns it, if nobody grabbed it."""
    matched_at: int = Field(sa_type=BigInteger)
    """When products were last looked through."""
    accepted_offer: str | None = Field(default=None, max_length=32)
    posted_at: int = Field(sa_type=BigInteger)
    first_taken_at: int | None = Field(default=None, sa_type=BigInteger)
    first_offer_at: int | None = Field(default=None, sa_type=BigInteger)
    accepted_at: int | None = Field(default=None, sa_type=BigInteger)
    ended_at: int | None = Field(default=None, sa_type=BigInteger)
    """When it was fulfilled, withdrawn or expired."""


class DemandVersion(Record, table=True):
    __tablename__ = "market_demand_version"

    demand_id: str = Field(foreign_key="market_demand.demand_id", primary_key=True, max_length=32)
    version: int = Field(primary_key=True)
    document: str = Field(sa_type=Text)
    """As the enterprise signed it."""
    posted_at: int = Field(sa_type=BigInteger)


class Candidate(Record, table=True):
    """A bank with a product that meets a version of a demand."""

    __tablename__ = "market_candidate"
    __table_args__ = (
        Index("ix_market_candidate_bank", "bank", "place", "demand_id"),
        Index("ix_market_candidate_held", "place", "held_until"),
    )

    demand_id: str = Field(foreign_key="market_demand.demand_id", primary_key=True, max_length=32)
    demand_version: int = Field(primary_key=True)
    bank: str = Field(primary_key=True, max_length=63)
    product_id: str = Field(max_length=96)
    product_version: int
    points: int
    reasons: str = Field(sa_type=Text)
    """JSON list of {rule, points, zh, en}."""
    place: str = Field(max_length=16)
    held_until: int = Field(sa_type=BigInteger)
    """0 unless held."""
    authorization: str = Field(max_length=64)
    """Hex digest; empty if none was given for this demand."""
    decline_reason: str = Field(max_length=32)


class Offer(Record, table=True):
    __tablename__ = "market_offer"
    __table_args__ = (
        UniqueConstraint("demand_id", "demand_version", "bank"),
        Index("ix_market_offer_state", "state", "valid_until"),
    )

    offer_id: str = Field(primary_key=True, max_length=32)
    demand_id: str = Field(foreign_key="market_demand.demand_id", max_length=32)
    demand_version: int
    bank: str = Field(max_length=63)
    product_id: str = Field(max_length=96)
    product_version: int
    idempotency_key: str = Field(max_length=64)
    amount_fen: int = Field(sa_type=BigInteger)
    annual_rate_bp: int
    months: int
    fee_fen: int = Field(sa_type=BigInteger)
    repayment: str = Field(max_length=32)
    valid_until: int = Field(sa_type=BigInteger)
    state: str = Field(max_length=16)
    made_at: int = Field(sa_type=BigInteger)


class Party(Record, table=True):
    """One row a bank or enterprise, locked while what it has open is counted."""

    __tablename__ = "market_party"

    party: str = Field(primary_key=True, max_length=63)


class Feed(Record, table=True):
    """The number of a bank's last notice: its row is locked to the end of a transaction, so numbers appear in order."""

    __tablename__ = "market_feed"

    bank: str = Field(primary_key=True, max_length=63)
    last: int = Field(sa_type=BigInteger)


class Notice(Record, table=True):
    __tablename__ = "market_notice"

    bank: str = Field(primary_key=True, max_length=63)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    demand_id: str = Field(max_length=32)
    kind: str = Field(max_length=16)
    at: int = Field(sa_type=BigInteger)


class SpentNonce(Record, table=True):
    __tablename__ = "market_spent_nonce"
    __table_args__ = (Index("ix_market_spent_nonce_until", "until"),)

    enterprise: str = Field(primary_key=True, max_length=18)
    nonce: str = Field(primary_key=True, max_length=64)
    until: int = Field(sa_type=BigInteger)
