"""Cosignatures on the enclaves' logs, and where the state of an authorization is published."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "log_cosignature",
        sa.Column("enclave", sa.String(63), primary_key=True),
        sa.Column("witness", sa.String(63), primary_key=True),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
    )
    op.add_column("authorization_copy", sa.Column("status_index", sa.Integer(), nullable=True))
    op.add_column("authorization_copy", sa.Column("status_uri", sa.String(160), nullable=True))


def downgrade() -> None:
    op.drop_column("authorization_copy", "status_uri")
    op.drop_column("authorization_copy", "status_index")
    op.drop_table("log_cosignature")
