"""The white list and alerts after the loan."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_TABLES = ("alert_cursor", "sealed_alert", "white_list_outbox", "white_list_opt_in", "white_list_subscription")


def upgrade() -> None:
    op.create_table(
        "white_list_subscription",
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("enclave", sa.String(63), primary_key=True),
        sa.Column("subscribed", sa.Boolean(), nullable=False),
        sa.Column("due", sa.Boolean(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "white_list_opt_in",
        sa.Column("enterprise", sa.String(18), primary_key=True),
        sa.Column("enclave", sa.String(63), primary_key=True),
        sa.Column("listed", sa.Boolean(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "white_list_outbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("enclave", sa.String(63), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
    )
    op.create_index("ix_white_list_outbox_enclave", "white_list_outbox", ["enclave", "number"])
    op.create_table(
        "sealed_alert",
        sa.Column("alert_id", sa.String(64), primary_key=True),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("enclave", sa.String(63), nullable=False),
        sa.Column("authorization", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_sealed_alert_bank", "sealed_alert", ["bank", "acknowledged_at", "made_at", "alert_id"])
    op.create_table(
        "alert_cursor",
        sa.Column("enclave", sa.String(63), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
