"""From a folder of Parquet files, one a category, to tables of usable rows.

A restated record keeps its `record_id`; that is how a correction replaces what it corrects. Nothing here or later
reads row by row in Python: everything is Ibis expressions, which another backend can run.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeAlias

import ibis
import pyarrow as pa
from xinyidai.catalogue import Catalogue, Category

from enclave.records.content import check_content
from enclave.records.disputed import Disputed
from enclave.records.disputes import marks, undisputed
from enclave.records.engine import Engine, EngineError, engine_of
from enclave.records.errors import RecordsError
from enclave.records.quality import in_time, judge_codes, judged_counts, newest_of_each_record, tally
from enclave.records.schema import check_schema, columns_of, read_types
from enclave.records.vault import VaultSnapshot

_SUFFIX: Final = ".parquet"
_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """What became of one file's rows. All but `enterprises` count rows; those of `rows` that are neither duplicates nor
    malformed, check_failed, late or disputed are used."""

    code: str
    rows: int
    duplicates: int
    """Older versions of a record, and copies."""
    malformed: int
    check_failed: int
    late: int
    enterprises: int
    """Distinct, among the rows used."""
    disputed: int = 0
    """Left out because their enterprise disputes them, or disputed them rightly."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The usable rows. A category whose file is absent has no table: nobody's records are held for it.

    The tables are views over the files: a feature reads the columns it needs, and no copy of the records is made. The
    files must stay as they are for as long as the views are used.
    """

    tables: Mapping[str, ibis.Table]
    counts: tuple[CategoryCount, ...]
    enterprises: ibis.Table
    """One column `uscc`, distinct: everyone with a usable row in any category."""


Source: TypeAlias = Path | VaultSnapshot
"""A folder of plain Parquet files, one a category; or the vault at one commit."""


def embedded_backend(source: Source) -> ibis.BaseBackend:
    """DuckDB in memory, reading `source` alone: no network, no extension, and no spilling of records to a disk."""
    backend = ibis.duckdb.connect(
        ":memory:",
        threads=_THREADS,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        temp_directory="",
        # The order of rows means nothing here, and keeping it costs memory.
        preserve_insertion_order=False,
    )
    if isinstance(source, Path):
        quoted = str(source.resolve()).replace("'", "''")
        backend.raw_sql(f"SET allowed_directories = ['{quoted}/']")
    backend.raw_sql("SET enable_external_access = false")
    backend.raw_sql("SET lock_configuration = true")
    return backend


def record_files(folder: Path, catalogue: Catalogue) -> dict[str, Path]:
    """Category code to file, in catalogue order. Raises `RecordsError` for a file of no known category."""
    if not folder.is_dir():
        raise RecordsError(folder.name, "is no folder; name the folder that holds <category>.parquet files")
    known = {category.code for category in catalogue.categories}
    found = {path.stem: path for path in sorted(folder.resolve().iterdir()) if path.suffix.lower() == _SUFFIX}
    for path in found.values():
        if path.stem not in known or path.suffix != _SUFFIX:
            raise RecordsError(path.name, "is of no category of the catalogue; name it <category code>.parquet")
    return {category.code: found[category.code] for category in catalogue.categories if category.code in found}


def origins(source: Source, catalogue: Catalogue) -> dict[str, tuple[str, Any]]:
    """Category code to (name in messages, file or dataset), in catalogue order. Raises `RecordsError`."""
    if not isinstance(source, Path):
        held = [category.code for category in catalogue.categories if category.code in source.categories]
        return {code: (f"vault/{code}", source.dataset(code)) for code in held}
    files = record_files(source, catalogue)
    for code, path in files.items():
        check_schema(path, columns_of(catalogue, catalogue.category(code)))
    return {code: (path.name, path) for code, path in files.items()}


def read_records(
    source: Source,
    catalogue: Catalogue,
    as_of: date,
    backend: ibis.BaseBackend,
    disputed: Sequence[Disputed] = (),
) -> Records:
    """Read every category's records as they were known at the end of `as_of`, without those that are `disputed`.

    A missing file is allowed; everything else that is not as the catalogue says raises `RecordsError`: a file of no
    category, a column missing, unknown or of another type, a value outside an enum, an unreadable file. Rows with an
    unusable USCC are quarantined: counted and not used. It is *not* checked that a record is true, or that the
    enterprise exists.
    """
    engine = engine_of(backend)
    opened = [
        _open_origin(name, origin, catalogue, catalogue.category(code), as_of, engine)
        for code, (name, origin) in origins(source, catalogue).items()
    ]
    # Every code is judged once, not once a row or a file.
    codes = _distinct_codes([found.tallied for found in opened], engine, "codes")
    judged = engine.keep("judged_codes", judge_codes(codes))
    kept = [_keep_usable(found, judged, as_of, engine, disputed) for found in opened]
    good = judged.filter(judged.formed & judged.holds)
    visible = _distinct_codes([found.tallied.filter(found.tallied.visible > 0) for found in opened], engine, "visible")
    enterprises = engine.keep("enterprises", visible.semi_join(good, "uscc"))
    tables = {count.code: table for table, count in kept}
    return Records(tables, tuple(count for _, count in kept), enterprises)


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A file whose columns and values are as the catalogue says."""

    file: str
    code: str
    rows: int
    table: ibis.Table
    tallied: ibis.Table
    """(uscc, rows, visible)."""


@contextmanager
def reading(file: str) -> Iterator[None]:
    """The engine's failures while it reads a file, as `RecordsError`."""
    try:
        yield
    except EngineError:
        raise RecordsError(file, "cannot be read to its end; export the file again") from None


def _open_origin(
    name: str, origin: Any, catalogue: Catalogue, category: Category, as_of: date, engine: Engine
) -> _Opened:
    with reading(name):
        raw = engine.open(f"raw_{category.code}", origin)
        rows = check_content(name, raw, columns_of(catalogue, category), engine)
        types = read_types(catalogue, category)
        typed = raw.select(*types).cast(types)
        tallied = engine.keep(f"tally_{category.code}", tally(typed, as_of))
    return _Opened(name, category.code, rows, typed, tallied)


def _keep_usable(
    found: _Opened, judged: ibis.Table, as_of: date, engine: Engine, disputed: Sequence[Disputed]
) -> tuple[ibis.Table, CategoryCount]:
    (counts,) = engine.fetch(judged_counts(found.tallied, judged)).to_pylist()
    rows = found.table.filter(in_time(found.table, as_of), found.table.uscc.notnull())
    if counts["malformed"] + counts["check_failed"]:
        rows = rows.anti_join(judged.filter(~(judged.formed & judged.holds)), "uscc")
    marked = marks(engine, found.code, disputed)
    with reading(found.file):
        left_out = 0
        if marked is not None:
            (sums,) = engine.fetch(rows.agg(rows=rows.count())).to_pylist()
            rows = undisputed(rows, marked)
            (rest,) = engine.fetch(rows.agg(rows=rows.count())).to_pylist()
            left_out = sums["rows"] - rest["rows"]
        used, duplicates = _without_duplicates(found.code, rows, engine)
    return engine.view(found.code, used), CategoryCount(
        code=found.code,
        rows=found.rows,
        duplicates=duplicates,
        malformed=counts["malformed"],
        check_failed=counts["check_failed"],
        late=counts["late"],
        enterprises=counts["enterprises"],
        disputed=left_out,
    )


def _without_duplicates(code: str, rows: ibis.Table, engine: Engine) -> tuple[ibis.Table, int]:
    """The newest row of each record, and how many others there are.

    Few records come twice, and ranking all of them costs more than everything else together; so only those that do
    are ranked.
    """
    counted = rows.group_by("record_id").agg(times=rows.count())
    repeated = engine.keep(f"repeated_{code}", counted.filter(counted.times > 1))
    (found,) = engine.fetch(repeated.agg(rows=repeated.times.sum().fill_null(0))).to_pylist()
    if not found["rows"]:
        return rows, 0
    newest = engine.keep(f"restated_{code}", newest_of_each_record(rows.semi_join(repeated, "record_id")))
    (kept,) = engine.fetch(newest.agg(rows=newest.count())).to_pylist()
    return ibis.union(rows.anti_join(repeated, "record_id"), newest), found["rows"] - kept["rows"]


def _distinct_codes(tables: list[ibis.Table], engine: Engine, name: str) -> ibis.Table:
    if not tables:
        return engine.keep(name, ibis.memtable(pa.table({"uscc": pa.array([], pa.string())})))
    codes = [table.select("uscc") for table in tables]
    return engine.keep(name, ibis.union(codes[0], *codes[1:]).distinct())
