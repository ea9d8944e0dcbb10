"""What the two engines do differently below Ibis: opening files, keeping results, handing over Arrow.

Everything that decides a value is an Ibis expression, the same on both. Only what is here knows which engine runs it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any, Final, Protocol

import duckdb
import ibis
import pyarrow as pa

_SPARK: Final = "pyspark"


class EngineError(RuntimeError):
    """An engine failed. Its own message may quote a value of a record, so it is not passed on."""


class EngineExhausted(RuntimeError):
    """An engine needs more memory than it may have. It does not fall back on a disk, where records would lie open."""


class Engine(Protocol):
    """An Ibis backend and what Ibis has no portable word for. `open`, `keep` and `fetch` raise `EngineError`."""

    @property
    def backend(self) -> ibis.BaseBackend: ...

    def open(self, name: str, origin: Any) -> ibis.Table:
        """A Parquet file (`Path`) or a `pyarrow.dataset.Dataset` under a name; a file is not read yet but for its
        footer."""
        ...

    def view(self, name: str, table: ibis.Table) -> ibis.Table:
        """An expression under a name, computed anew by whatever reads it."""
        ...

    def keep(self, name: str, table: ibis.Table) -> ibis.Table:
        """Compute a table now and hold it in memory under a name."""
        ...

    def hash64(self, columns: Sequence[ibis.Value]) -> ibis.Value:
        """A hash of several columns. It differs between engines and their releases."""
        ...

    def fetch(self, table: ibis.Table) -> pa.Table:
        """Run an expression."""
        ...


def _hash(name: str, columns: Sequence[ibis.Value], kind: str) -> ibis.Value:
    """Call an engine's own hash function, which takes any number of columns."""

    def declared(*columns: ibis.Value) -> ibis.Value: ...

    declared.__signature__ = Signature(  # type: ignore[attr-defined]
        [Parameter(f"c{at}", Parameter.POSITIONAL_ONLY) for at in range(len(columns))]
    )
    types = tuple(column.type() for column in columns)
    return ibis.udf.scalar.builtin(declared, name=name, signature=(types, kind))(*columns)


@contextmanager
def _silenced(*failures: type[Exception]) -> Iterator[None]:
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise EngineExhausted("not enough memory for these records, and none may be written to a disk") from None
    except failures:
        raise EngineError("the engine could not compute this") from None


@dataclass(frozen=True, slots=True)
class EmbeddedEngine:
    """DuckDB in memory."""

    backend: ibis.BaseBackend

    def open(self, name: str, origin: Any) -> ibis.Table:
        with _silenced(duckdb.Error):
            if isinstance(origin, Path):
                return self.backend.read_parquet(str(origin), table_name=name)
            # DuckDB asks the dataset for the columns and rows a query needs; they are decrypted in memory.
            self.backend.con.register(name, origin)
            return self.backend.table(name)

    def view(self, name: str, table: ibis.Table) -> ibis.Table:
        return self.backend.create_view(name, table)

    def keep(self, name: str, table: ibis.Table) -> ibis.Table:
        with _silenced(duckdb.Error):
            return self.backend.create_table(name, table)

    def hash64(self, columns: Sequence[ibis.Value]) -> ibis.Value:
        return _hash("hash", columns, "uint64")

    def fetch(self, table: ibis.Table) -> pa.Table:
        with _silenced(duckdb.Error):
            return table.to_pyarrow()


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Spark. Where its blocks and shuffles go is the session's business: `spark.io.encryption.enabled` keeps what it
    writes to a disk unreadable, and `engine_of` refuses a session without it."""

    backend: ibis.BaseBackend
    failures: tuple[type[Exception], ...]

    def open(self, name: str, origin: Any) -> ibis.Table:
        with _silenced(*self.failures):
            if isinstance(origin, Path):
                return self.backend.read_parquet(str(origin), table_name=name)
            self.backend._session.createDataFrame(origin.to_table()).createOrReplaceTempView(name)
            return self.backend.table(name)

    def view(self, name: str, table: ibis.Table) -> ibis.Table:
        return self.backend.create_view(name, table, overwrite=True).cast(table.schema())

    def keep(self, name: str, table: ibis.Table) -> ibis.Table:
        """As a cached view: a table would be written to Spark's warehouse in the clear."""
        with _silenced(*self.failures):
            frame = self._frame(table).cache()
            frame.count()
            frame.createOrReplaceTempView(name)
        # Spark forgets how fine a timestamp is.
        return self.backend.table(name).cast(table.schema())

    def hash64(self, columns: Sequence[ibis.Value]) -> ibis.Value:
        return _hash("xxhash64", columns, "int64")

    def fetch(self, table: ibis.Table) -> pa.Table:
        with _silenced(*self.failures):
            return self._frame(table).toArrow()

    def _frame(self, table: ibis.Table) -> Any:
        self.backend._register_in_memory_tables(table)
        return self.backend._session.sql(self.backend.compile(table))


def engine_of(backend: ibis.BaseBackend) -> Engine:
    """The engine a backend drives. Raises `ValueError` for a Spark session that would write records in the clear."""
    if backend.name != _SPARK:
        return EmbeddedEngine(backend)
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    if backend._session.sparkContext.getConf().get("spark.io.encryption.enabled", "false") != "true":
        raise ValueError("this Spark session writes to disks in the clear; set spark.io.encryption.enabled to true")
    return SparkEngine(backend, (Py4JError, PySparkException))
