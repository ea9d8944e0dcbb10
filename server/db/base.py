"""What every table shares: one metadata with predictable constraint names, and insertion that tolerates repeats."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Integer, MetaData, inspect, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col

naming: Final = MappingProxyType(
    {
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
BigId: Final = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER."""


class Record(SQLModel):
    """Base of every table."""

    metadata = MetaData(naming_convention=dict(naming))


def insert_or_ignore(session: Session, table: type[Record], rows: Sequence[Mapping[str, Any]]) -> None:
    """One atomic statement: a row whose key is taken already changes nothing."""
    if rows:
        session.execute(insert_statement(session, table).values([dict(row) for row in rows]).on_conflict_do_nothing())


def insert_if_new(session: Session, table: type[Record], row: Mapping[str, Any]) -> bool:
    """One atomic statement: whether the row was stored; False when a key of it is taken."""
    key = next(iter(inspect(table).primary_key))
    statement = insert_statement(session, table).values(**row).on_conflict_do_nothing().returning(key)
    return session.execute(statement).first() is not None


def take_row(session: Session, table: type[Record], *conditions: ColumnElement[bool], **values: Any) -> bool:
    """One UPDATE of one row, which stays locked to the end of the transaction; whether the conditions held."""
    key = next(iter(inspect(table).primary_key))
    taken = session.execute(
        update(table)
        .where(*conditions)
        .values(**(values or {key.name: key}))
        .returning(key)
        .execution_options(synchronize_session=False)
    )
    return taken.first() is not None


def insert_or_update(
    session: Session,
    table: type[Record],
    row: Mapping[str, Any],
    key: str | Sequence[str],
    update: Sequence[str],
    **unless: Any,
) -> None:
    """One atomic statement: where `key` (a column or several) is taken, the columns of `update` take the new values,
    unless a column already has the value `unless` names for it."""
    statement = insert_statement(session, table).values(**row)
    where = [col(getattr(table, name)) != value for name, value in unless.items()]
    changes = {name: statement.excluded[name] for name in update}
    condition = where[0] if where else None
    keys = [key] if isinstance(key, str) else list(key)
    session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes, where=condition))


def insert_statement(session: Session, table: type[Record]) -> Any:
    """The dialect's own INSERT, which knows ON CONFLICT."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)
