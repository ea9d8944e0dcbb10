"""Engine and transactions. Work runs in a few threads of its own, so the event loop never waits for a disk."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

_THREADS: Final = 4
_BUSY_SECONDS: Final = 30
# Parameters hold signed documents, which must not reach a log inside an error's text.
_ENGINE: Final[dict[str, Any]] = {"pool_size": _THREADS, "max_overflow": 1, "hide_parameters": True}
_WRITES: Final = "xyd_writes"
Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
log = structlog.get_logger("server.db")


class SchemaOutdated(Exception):
    """The database is not at the version this program was written for."""


class StorageFailed(RuntimeError):
    """A statement failed. The text is the database's first line: the rest may repeat the row, and so a document."""


@contextmanager
def _without_rows() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise StorageFailed(str(error.orig).partition("\n")[0]) from None


def build_engine(url: str) -> Engine:
    """An engine for "sqlite:///<path>" or "postgresql+psycopg://...". Raises `ValueError` for other kinds."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(parsed, pool_pre_ping=True, **_ENGINE)
    if parsed.drivername != "sqlite" or not parsed.database:
        raise ValueError("database_url must be sqlite:///<path> or postgresql+psycopg://...")
    Path(parsed.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS}, **_ENGINE)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # The driver must not begin transactions by itself: `_begin_sqlite` says which kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later can fail at once in WAL mode; one that says so waits its turn.
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


class Database:
    """Named transactions over one engine. Close it."""

    def __init__(self, url: str) -> None:
        self.engine = build_engine(url)
        self._writing = self.engine.execution_options(**{_WRITES: True})
        self._threads = ThreadPoolExecutor(_THREADS, "database")

    @contextmanager
    def transaction(self, name: str) -> Iterator[Session]:
        """Commits at the end, rolls back on any error and raises it again; the database's own as `StorageFailed`."""
        with _without_rows(), Session(self._writing, expire_on_commit=False) as session:
            try:
                with session.begin():
                    yield session
            except Exception as error:
                log.info("rolled back", transaction=name, error=type(error).__name__)
                raise

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view; changes nothing. Raises `StorageFailed`."""
        with _without_rows(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    async def change(
        self,
        name: str,
        work: Callable[Concatenate[Session, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """`work(session, ...)` as one named transaction."""

        def run() -> Result:
            with self.transaction(name) as session:
                return work(session, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    async def read(
        self,
        work: Callable[Concatenate[Session, Arguments], Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        def run() -> Result:
            with self.reading() as session:
                return work(session, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)

    def close(self) -> None:
        self._threads.shutdown()
        self.engine.dispose()
