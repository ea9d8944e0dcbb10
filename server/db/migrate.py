"""Bringing a database to the version of this program, from inside the program: no alembic.ini to lose."""

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from server.db.database import SchemaOutdated, build_engine

_SCRIPTS: Final = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    """For `migrate`, and for writing a new revision:
    `alembic.command.revision(config, "text", autogenerate=True)` with a connection in `config.attributes`."""
    config = Config()
    # Alembic reads "%" as the start of an interpolation.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Upgrade to `revision`; "base" takes every table down again, with all data."""
    engine = build_engine(url)
    try:
        with engine.connect() as connection:
            config = alembic_config()
            config.attributes["connection"] = connection
            if revision == "base":
                command.downgrade(config, revision)
            else:
                command.upgrade(config, revision)
            connection.commit()
    finally:
        engine.dispose()


def check_schema(connection: Connection) -> None:
    """Raises `SchemaOutdated`."""
    wanted = ScriptDirectory.from_config(alembic_config()).get_current_head()
    found = MigrationContext.configure(connection).get_current_revision()
    if found != wanted:
        raise SchemaOutdated(
            f"数据库版本为 {found},需要 {wanted};请先运行 xyd-server migrate / "
            f"the database is at version {found}, this program needs {wanted}; run xyd-server migrate first"
        )
