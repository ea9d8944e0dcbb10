"""The database: the migrations make exactly what the models say, go down again, and keep the audit append-only.

Each test runs on SQLite and on a real PostgreSQL.
"""

import traceback

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from server.audit.models import Kind
from server.audit.service import OK, Event, append
from server.db import Database, Record, SchemaOutdated, StorageFailed, check_schema, migrate


def test_the_migrations_make_what_the_models_say(database: Database) -> None:
    with database.engine.connect() as connection:
        check_schema(connection)
        found = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Record.metadata)
    assert found == []


def test_up_and_down_leave_nothing_behind_and_up_again_works(empty_url: str) -> None:
    for _ in range(2):
        migrate(empty_url)
        migrate(empty_url)
        migrate(empty_url, "base")
        database = Database(empty_url)
        assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
        database.close()


def test_a_database_of_another_version_is_refused_with_what_to_do(empty_url: str) -> None:
    database = Database(empty_url)
    with database.engine.connect() as connection, pytest.raises(SchemaOutdated, match="xyd-server migrate"):
        check_schema(connection)
    database.close()


@pytest.mark.parametrize("change", ["UPDATE audit_event SET outcome = 'OK'", "DELETE FROM audit_event"])
def test_the_database_itself_refuses_to_rewrite_the_audit(database: Database, change: str) -> None:
    with database.transaction("append") as session:
        append(session, [Event(Kind.ASSESS, "BUDGET_BANK_EXHAUSTED", bank="bank-a"), Event(Kind.ASSESS, OK)], 7)
    with pytest.raises(StorageFailed, match="append-only"), database.transaction("rewrite") as session:
        session.execute(text(change))
    with database.reading() as session:
        rows = session.execute(text("SELECT outcome, bank, at FROM audit_event ORDER BY event_id")).all()
    assert [tuple(row) for row in rows] == [("BUDGET_BANK_EXHAUSTED", "bank-a", 7), ("OK", None, 7)]


def test_an_error_takes_the_whole_transaction_back(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction("half done") as session:
        append(session, [Event(Kind.ASSESS, OK)], 7)
        raise RuntimeError("power cut")
    with database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM audit_event")).scalar() == 0


def test_an_error_does_not_show_what_was_to_be_stored(database: Database) -> None:
    with pytest.raises(StorageFailed) as caught, database.transaction("too large") as session:
        session.execute(text("INSERT INTO bank VALUES (:a, NULL, NULL, NULL, NULL, NULL)"), {"a": "secret-token"})
    assert "secret-token" not in "".join(traceback.format_exception(caught.value))
