"""Accounts of the pages: staff, passkeys, sessions, and an audit of their own that the database keeps append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "account_event", "account_failure", "account_session", "account_challenge", "account_passkey", "account_staff",
)  # fmt: skip


def upgrade() -> None:
    _accounts()
    _sessions()
    _events()


def _accounts() -> None:
    op.create_table(
        "account_staff",
        sa.Column("role", sa.String(16), primary_key=True),
        sa.Column("staff_id", sa.String(63), primary_key=True),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("enrolment_digest", sa.String(64), nullable=False),
        sa.Column("enrolment_until", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "account_passkey",
        sa.Column("credential_id", sa.String(512), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("label", sa.String(64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_account_passkey_holder", "account_passkey", ["role", "holder"])


def _sessions() -> None:
    op.create_table(
        "account_challenge",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_account_challenge_until", "account_challenge", ["until"])
    op.create_table(
        "account_session",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_account_session_holder", "account_session", ["role", "holder"])
    op.create_index("ix_account_session_until", "account_session", ["until"])
    op.create_table(
        "account_failure",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_account_failure_since", "account_failure", ["since"])


def _events() -> None:
    op.create_table(
        "account_event",
        sa.Column("event_id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("outcome", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("detail", sa.String(256), nullable=False),
    )
    op.create_index("ix_account_event_at", "account_event", ["at"])
    op.create_index("ix_account_event_holder", "account_event", ["role", "holder", "event_id"])
    if op.get_bind().dialect.name == "postgresql":
        # The function is the first migration's, which refuses with the same words.
        op.execute(
            "CREATE TRIGGER account_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON account_event "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_is_append_only()"
        )
        return
    for change in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER account_event_no_{change.lower()} BEFORE {change} ON account_event "
            "BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
        )


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
