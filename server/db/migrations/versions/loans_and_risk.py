"""Loans, the sharing of their risk, and a ledger that the database itself keeps balanced and append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = (
    "risk_posting", "risk_entry", "risk_account", "risk_share", "risk_filing", "risk_usage", "risk_position",
    "risk_scheme", "loan_report", "loan", "market_party",
)  # fmt: skip
_APPEND_ONLY = ("loan_report", "risk_scheme", "risk_entry", "risk_posting")
_UNBALANCED = (
    "(SELECT count(*) FROM risk_posting WHERE entry_id = NEW.entry_id) < 2 "
    "OR (SELECT sum(amount_fen) FROM risk_posting WHERE entry_id = NEW.entry_id) <> 0"
)
_CLOSED = "EXISTS (SELECT 1 FROM risk_entry WHERE entry_id = NEW.entry_id)"
_CHECKS = (
    ("risk_entry", "risk_entry_balances", _UNBALANCED, "the entry does not balance"),
    ("risk_posting", "risk_posting_in_time", _CLOSED, "the entry is closed"),
)


def upgrade() -> None:
    op.create_table("market_party", sa.Column("party", sa.String(63), primary_key=True))
    _loans()
    _schemes()
    _filings()
    _ledger()
    if op.get_bind().dialect.name == "postgresql":
        _postgresql_triggers()
    else:
        _sqlite_triggers()


def _loans() -> None:
    op.create_table(
        "loan",
        sa.Column("loan_id", sa.String(32), sa.ForeignKey("market_offer.offer_id"), primary_key=True),
        sa.Column("demand_id", sa.String(32), sa.ForeignKey("market_demand.demand_id"), nullable=False),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("enterprise", sa.String(18), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("annual_rate_bp", sa.Integer(), nullable=False),
        sa.Column("months", sa.Integer(), nullable=False),
        sa.Column("repayment", sa.String(32), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("guarantee", sa.String(32), nullable=False),
        sa.Column("region", sa.String(6), nullable=False),
        sa.Column("industry", sa.String(1), nullable=False),
        sa.Column("first_loan", sa.Boolean(), nullable=False),
        sa.Column("disbursed_on", sa.Date()),
        sa.Column("principal_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_paid_fen", sa.BigInteger(), nullable=False),
        sa.Column("reported_class", sa.String(16), nullable=False),
        sa.Column("risk_class", sa.String(16), nullable=False),
        sa.Column("overdue_since", sa.Date()),
        sa.Column("overdue_days", sa.Integer(), nullable=False),
        sa.Column("aged_on", sa.Date()),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("confirmed_at", sa.BigInteger()),
        sa.Column("confirmation", sa.Text()),
    )
    op.create_index("ix_loan_bank", "loan", ["bank", "registered_at", "loan_id"])
    op.create_index("ix_loan_enterprise", "loan", ["enterprise", "registered_at", "loan_id"])
    op.create_index("ix_loan_state", "loan", ["state", "aged_on"])
    op.create_table(
        "loan_report",
        sa.Column("report_id", _BIG_ID, primary_key=True, autoincrement=True),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.Column("loan_id", sa.String(32), sa.ForeignKey("loan.loan_id"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("interest_fen", sa.BigInteger(), nullable=False),
        sa.Column("risk_class", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("bank", "request_id"),
    )
    op.create_index("ix_loan_report_loan", "loan_report", ["loan_id", "report_id"])


def _schemes() -> None:
    op.create_table(
        "risk_scheme",
        sa.Column("scheme_id", sa.String(32), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "risk_position",
        sa.Column("scheme_id", sa.String(32), primary_key=True),
        sa.Column("bank", sa.String(63), primary_key=True),
        sa.Column("filed_fen", sa.BigInteger(), nullable=False),
        sa.Column("claimed_fen", sa.BigInteger(), nullable=False),
        sa.Column("warned_at", sa.BigInteger()),
        sa.Column("paused_at", sa.BigInteger()),
    )
    op.create_table(
        "risk_usage",
        sa.Column("scheme_id", sa.String(32), primary_key=True),
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("holder", sa.String(63), primary_key=True),
        sa.Column("year", sa.Integer(), primary_key=True),
        sa.Column("used_fen", sa.BigInteger(), nullable=False),
    )


def _filings() -> None:
    op.create_table(
        "risk_filing",
        sa.Column("loan_id", sa.String(32), sa.ForeignKey("loan.loan_id"), primary_key=True),
        sa.Column("scheme_id", sa.String(32), nullable=False),
        sa.Column("scheme_version", sa.Integer(), nullable=False),
        sa.Column("bank", sa.String(63), nullable=False),
        sa.Column("enterprise", sa.String(18), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("claimed_fen", sa.BigInteger(), nullable=False),
        sa.Column("recovered_fen", sa.BigInteger(), nullable=False),
        sa.Column("approved_by", sa.String(64), nullable=False),
        sa.Column("paid_by", sa.String(64), nullable=False),
        sa.Column("note", sa.String(256), nullable=False),
        sa.Column("filed_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger()),
        sa.Column("paid_at", sa.BigInteger()),
        sa.Column("ended_at", sa.BigInteger()),
    )
    op.create_index("ix_risk_filing_bank", "risk_filing", ["bank", "filed_at", "loan_id"])
    op.create_index("ix_risk_filing_state", "risk_filing", ["state", "filed_at", "loan_id"])
    op.create_table(
        "risk_share",
        sa.Column("loan_id", sa.String(32), sa.ForeignKey("risk_filing.loan_id"), primary_key=True),
        sa.Column("party", sa.String(16), primary_key=True),
        sa.Column("share_fen", sa.BigInteger(), nullable=False),
        sa.Column("recovered_fen", sa.BigInteger(), nullable=False),
    )


def _ledger() -> None:
    op.create_table(
        "risk_account",
        sa.Column("account_id", sa.String(128), primary_key=True),
        sa.Column("scheme_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("holder", sa.String(63), nullable=False),
        sa.Column("balance_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind <> 'fund' OR balance_fen >= 0", name="fund_covers"),
    )
    op.create_table(
        "risk_entry",
        sa.Column("entry_id", sa.String(32), primary_key=True),
        sa.Column("scheme_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reference", sa.String(160), nullable=False, unique=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    entry = sa.ForeignKey("risk_entry.entry_id", deferrable=True, initially="DEFERRED")
    op.create_table(
        "risk_posting",
        sa.Column("entry_id", sa.String(32), entry, primary_key=True),
        sa.Column("account_id", sa.String(128), sa.ForeignKey("risk_account.account_id"), primary_key=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
    )


def _sqlite_triggers() -> None:
    for table in _APPEND_ONLY:
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{change.lower()} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
    for table, name, wrong, text in _CHECKS:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, '{text}') WHERE {wrong}; END"
        )


def _postgresql_triggers() -> None:
    op.execute(
        "CREATE FUNCTION row_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION row_is_append_only()"
        )
    for table, name, wrong, text in _CHECKS:
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN IF {wrong} THEN RAISE EXCEPTION '{text}'; END IF; RETURN NEW; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for name in ("row_is_append_only", "risk_entry_balances", "risk_posting_in_time"):
            op.execute(f"DROP FUNCTION {name}()")
