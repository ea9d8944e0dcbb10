"""The financing market."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_TABLES = (
    "market_spent_nonce", "market_notice", "market_feed", "market_offer", "market_candidate", "market_demand_version",
    "market_demand", "market_product_version", "market_product",
)  # fmt: skip


def upgrade() -> None:
    _products()
    _demands()
    _candidates()
    _offers()
    _feeds()


def _products() -> None:
    op.create_table(
        "market_product",
        sa.Column("product_id", sa.String(96), primary_key=True),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("quota_fen", sa.BigInteger(), nullable=False),
        sa.Column("quota_used_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_market_product_state", "market_product", ["state", "valid_until"])
    op.create_table(
        "market_product_version",
        sa.Column("product_id", sa.String(96), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
    )


def _demands() -> None:
    op.create_table(
        "market_demand",
        sa.Column("demand_id", sa.String(32), primary_key=True),
        sa.Column("enterprise", sa.String(18), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("places_taken", sa.Integer(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("industry", sa.String(1), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("assign_at", sa.BigInteger(), nullable=False),
        sa.Column("matched_at", sa.BigInteger(), nullable=False),
        sa.Column("accepted_offer", sa.String(32)),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
        sa.Column("first_taken_at", sa.BigInteger()),
        sa.Column("first_offer_at", sa.BigInteger()),
        sa.Column("accepted_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("ix_market_demand_enterprise", "market_demand", ["enterprise", "posted_at", "demand_id"])
    op.create_index("ix_market_demand_state", "market_demand", ["state", "expires_at"])
    op.create_table(
        "market_demand_version",
        sa.Column("demand_id", sa.String(32), sa.ForeignKey("market_demand.demand_id"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("posted_at", sa.BigInteger(), nullable=False),
    )


def _candidates() -> None:
    op.create_table(
        "market_candidate",
        sa.Column("demand_id", sa.String(32), sa.ForeignKey("market_demand.demand_id"), primary_key=True),
        sa.Column("demand_version", sa.Integer(), primary_key=True),
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("product_id", sa.String(96), nullable=False),
        sa.Column("product_version", sa.Integer(), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.Column("place", sa.String(16), nullable=False),
        sa.Column("held_until", sa.BigInteger(), nullable=False),
        sa.Column("authorization", sa.String(64), nullable=False),
        sa.Column("decline_reason", sa.String(32), nullable=False),
    )
    op.create_index("ix_market_candidate_bank", "market_candidate", ["bank", "place", "demand_id"])
    op.create_index("ix_market_candidate_held", "market_candidate", ["place", "held_until"])


def _offers() -> None:
    op.create_table(
        "market_offer",
        sa.Column("offer_id", sa.String(32), primary_key=True),
        sa.Column("demand_id", sa.String(32), sa.ForeignKey("market_demand.demand_id"), nullable=False),
        sa.Column("demand_version", sa.Integer(), nullable=False),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("product_id", sa.String(96), nullable=False),
        sa.Column("product_version", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("annual_rate_bp", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("repayment", sa.String(32), nullable=False),
        sa.Column("valid_until", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("demand_id", "demand_version", "bank"),
    )
    op.create_index("ix_market_offer_state", "market_offer", ["state", "valid_until"])


def _feeds() -> None:
    op.create_table(
        "market_feed",
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "market_notice",
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True),
        sa.Column("demand_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "market_spent_nonce",
        sa.Column("enterprise", sa.String(18), primary_key=True),
        sa.Column("nonce", sa.String(64), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_market_spent_nonce_until", "market_spent_nonce", ["until"])


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
