"""From a folder of Parquet files, one a category, to tables of usable rows.

A restated record keeps its `record_id`; that is how a correction replaces what it corrects. Nothing here or later
reads row by row in Python: everything is Ibis expressions, which another backend can run.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import duckdb
import ibis
from xinyidai.catalogue import Catalogue, Category

from enclave.records.content import check_content
from enclave.records.errors import RecordsError
from enclave.records.quality import Standing, judge_codes, newest_of_each_record, with_standing
from enclave.records.schema import check_schema, columns_of, read_types

_SUFFIX: Final = ".parquet"
_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class CategoryCount:
    """What became of one file's rows. All but `enterprises` count rows; those of `rows` that are neither duplicates nor
    malformed, check_failed or late are used."""

    code: str
    rows: int
    duplicates: int
    """Older versions of a record, and copies."""
    malformed: int
    check_failed: int
    late: int
    enterprises: int
    """Distinct, among the rows used."""


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The usable rows. A category whose file is absent has no table: nobody's records are held for it."""

    tables: Mapping[str, ibis.Table]
    counts: tuple[CategoryCount, ...]
    enterprises: ibis.Table
    """One column `uscc`, distinct: everyone with a usable row in any category."""


def embedded_backend(folder: Path) -> ibis.BaseBackend:
    """DuckDB in memory, reading `folder` alone: no network, no extension, and no spilling of records to a disk."""
    backend = ibis.duckdb.connect(
        ":memory:",
        threads=_THREADS,
        autoinstall_known_extensions=False,
        autoload_known_extensions=False,
        temp_directory="",
    )
    quoted = str(folder.resolve()).replace("'", "''")
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


def read_records(folder: Path, catalogue: Catalogue, as_of: date, backend: ibis.BaseBackend) -> Records:
    """Read every category's file as it was known at the end of `as_of`.

    A missing file is allowed; everything else that is not as the catalogue says raises `RecordsError`: a file of no
    category, a column missing, unknown or of another type, a value outside an enum, an unreadable file. Rows with an
    unusable USCC are quarantined: counted and not used. It is *not* checked that a record is true, or that the
    enterprise exists.
    """
    files = record_files(folder, catalogue)
    for code, path in files.items():
        check_schema(path, columns_of(catalogue, catalogue.category(code)))
    opened = {code: _open_file(path, catalogue, catalogue.category(code), backend) for code, path in files.items()}
    # Every code is judged once, not once a row or a file.
    codes = _distinct_codes([found.codes for found in opened.values()], backend, "codes")
    judged = backend.create_table("judged_codes", judge_codes(codes))
    kept = {code: _keep_usable(found, judged, as_of, backend) for code, found in opened.items()}
    tables = {code: table for code, (table, _) in kept.items()}
    enterprises = _distinct_codes([table.select("uscc") for table in tables.values()], backend, "enterprises")
    return Records(tables, tuple(count for _, count in kept.values()), enterprises)


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    """A file whose columns and values are as the catalogue says."""

    file: str
    code: str
    rows: int
    table: ibis.Table
    codes: ibis.Table


@contextmanager
def _reading(file: str) -> Iterator[None]:
    """The engine's own message may quote a value, so it is not passed on."""
    try:
        yield
    except duckdb.Error:
        raise RecordsError(file, "cannot be read to its end; export the file again") from None


def _open_file(path: Path, catalogue: Catalogue, category: Category, backend: ibis.BaseBackend) -> _Opened:
    with _reading(path.name):
        raw = backend.read_parquet(str(path), table_name=f"raw_{category.code}")
        rows = check_content(path.name, raw, columns_of(catalogue, category))
        typed = raw.cast(read_types(catalogue, category))
        codes = backend.create_table(f"codes_{category.code}", typed.select("uscc").distinct())
    return _Opened(path.name, category.code, rows, typed, codes)


def _keep_usable(
    found: _Opened, judged: ibis.Table, as_of: date, backend: ibis.BaseBackend
) -> tuple[ibis.Table, CategoryCount]:
    with _reading(found.file):
        rows = with_standing(found.table, judged, as_of)
        by_standing = rows.group_by("standing").agg(rows=rows.count()).to_pyarrow().to_pylist()
        standing = {Standing(one["standing"]): int(one["rows"]) for one in by_standing}
        visible = rows.filter(rows.standing == Standing.USED.value).drop("standing")
        used = backend.create_table(found.code, newest_of_each_record(visible))
    (kept,) = used.agg(rows=used.count(), enterprises=used.uscc.nunique()).to_pyarrow().to_pylist()
    return used, CategoryCount(
        code=found.code,
        rows=found.rows,
        duplicates=standing.get(Standing.USED, 0) - int(kept["rows"]),
        malformed=standing.get(Standing.MALFORMED, 0),
        check_failed=standing.get(Standing.CHECK_FAILED, 0),
        late=standing.get(Standing.LATE, 0),
        enterprises=int(kept["enterprises"]),
    )


def _distinct_codes(tables: list[ibis.Table], backend: ibis.BaseBackend, name: str) -> ibis.Table:
    if not tables:
        return backend.create_table(name, schema=ibis.schema({"uscc": "string"}))
    return backend.create_table(name, ibis.union(tables[0], *tables[1:]).distinct())
