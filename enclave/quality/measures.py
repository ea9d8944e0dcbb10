"""The seven measures as Ibis expressions.

They look at all that the holders delivered, with what intake set aside: bad rows are what the board is about. Rows
that arrived after `as_of` are not seen, as in a snapshot. One pass over each category's rows.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from operator import add, and_
from typing import Any, Final

import ibis
import pyarrow as pa
from xinyidai.catalogue import Catalogue, Category
from xinyidai.quality import MEASURES, Cell

from enclave.features.windows import date_number, month_number, ym_number
from enclave.quality.aside import delivered, quarantined, with_waiting
from enclave.quality.board import LEAST_ENTERPRISES, Board
from enclave.records.disputed import Disputed
from enclave.records.disputes import in_dispute, marks, undisputed
from enclave.records.engine import Engine, engine_of
from enclave.records.law import Law
from enclave.records.quality import in_time, judge_codes
from enclave.records.reader import Source, embedded_backend, reading
from enclave.records.schema import read_types

MONTHS: Final = 24
"""How far the board looks back."""
REGISTER: Final = "enterprise_registration"
"""The category that says which enterprises there are, for coverage and linkage."""
_UNNAMED: Final = "?"
_MONTHLY: Final = re.compile(r"monthly(;.*)?")
"""A cadence of one row a month, whatever else comes on change; a quarterly or bi-monthly holder leaves no gap."""
_DECIMALS: Final = 3


@dataclass(frozen=True, slots=True, eq=False)
class _Ground:
    """What the measures of every category stand on."""

    catalogue: Catalogue
    engine: Engine
    law: Law
    judged: ibis.Table
    """(uscc, good)."""
    registered: ibis.Table | None
    """(uscc, linked); None without a register."""
    registered_count: int


def measure_quality(source: Source, catalogue: Catalogue, as_of: date, disputed: Sequence[Disputed] = ()) -> Board:
    """The board of the records as they were known at the end of `as_of`. Raises `RecordsError`."""
    backend = embedded_backend(source)
    try:
        engine = engine_of(backend)
        rows, aside = {}, {}
        for code, (name, origin) in delivered(source, catalogue).items():
            with reading(name):
                category = catalogue.category(code)
                raw = engine.open(f"raw_{code}", origin)
                rows[code] = with_waiting(engine, source, category, raw, read_types(catalogue, category))
                aside[code] = quarantined(engine, source, category, raw)
        ground = _ground(rows, catalogue, as_of, engine)
        cells = []
        for code, table in rows.items():
            with reading(code):
                judged = _judge_rows(ground, catalogue.category(code), table, disputed)
                if (set_aside := aside[code]) is not None:
                    bad = _judge_quarantined(ground, catalogue.category(code), set_aside)
                    judged = ibis.union(judged, bad.cast(judged.schema()))
                cells += _category_cells(ground, catalogue.category(code), judged)
    finally:
        backend.disconnect()
    return Board(as_of.isoformat(), tuple(cells))


def _ground(rows: Mapping[str, ibis.Table], catalogue: Catalogue, as_of: date, engine: Engine) -> _Ground:
    law = Law.at(as_of, catalogue)
    if not rows:
        nobody = engine.keep("nobody", ibis.memtable(pa.table({"uscc": pa.array([], pa.string())})))
        return _Ground(catalogue, engine, law, nobody.mutate(good=True), None, 0)
    with reading("codes"):
        each = [table.select("uscc").distinct() for table in rows.values()]
        codes = engine.keep("board_codes", ibis.union(each[0], *each[1:], distinct=True))
        judged = judge_codes(codes)
        good = engine.keep("board_judged", judged.select("uscc", good=judged.formed & judged.holds))
        if REGISTER not in rows:
            return _Ground(catalogue, engine, law, good, None, 0)
        known = rows[REGISTER].filter(in_time(rows[REGISTER], as_of)).select("uscc").distinct()
        kept = engine.keep("board_register", known.semi_join(good.filter(good.good), "uscc").mutate(linked=True))
        (count,) = engine.fetch(kept.agg(count=kept.count())).to_pylist()
    return _Ground(catalogue, engine, law, good, kept, int(count["count"]))


def _category_cells(ground: _Ground, category: Category, judged_rows: ibis.Table) -> list[Cell]:
    sums = ground.engine.fetch(_sums(judged_rows)).to_pylist()
    followed = _followed(ground, category, judged_rows)
    visible = [one for one in sums if one["enterprises"] >= LEAST_ENTERPRISES]
    if not visible:
        return []
    cells = [_cell(ground, category, one, *followed.get((one["source"], one["number"]), (0, 0))) for one in visible]
    return [_total(ground, category, judged_rows, visible, followed), *cells]


def _judge_rows(ground: _Ground, category: Category, table: ibis.Table, disputed: Sequence[Disputed]) -> ibis.Table:
    """One row a record delivered in the board's months: source, number (of the month), uscc, and a flag a measure."""
    seen = _seen(ground, table)
    marked = marks(ground.engine, category.code, disputed)
    if marked is not None:
        kept = undisputed(seen, marked).mutate(undisputed=True)
        out = in_dispute(seen, marked).mutate(undisputed=False)
        seen = ibis.union(kept, out)
    else:
        seen = seen.mutate(undisputed=True)
    rows = _linked(ground, seen.left_join(ground.judged, "uscc").drop("uscc_right"))
    filled = reduce(add, (rows[field.name].notnull().cast("int64") for field in category.fields))
    return rows.select(
        "uscc",
        source=rows.source_dept.fill_null(_UNNAMED),
        number=ym_number(rows.data_month),
        compliance=rows.undisputed & ground.law.lawful(rows, category.code),
        timeliness=_timely(category, rows),
        standardization=(rows.good.fill_null(False) | rows.waits)
        & _tidy(category, rows)
        & (rows.data_month % 100).between(1, 12),
        filled=filled,
        fields=len(category.fields),
        linkage=rows.linked.fill_null(False),
        covers=rows.linked.fill_null(False),
    )


def _judge_quarantined(ground: _Ground, category: Category, table: ibis.Table) -> ibis.Table:
    """The same of rows in quarantine, which are as no standard says, are shared with nobody and cover no enterprise."""
    rows = _linked(ground, _seen(ground, table))
    return rows.select(
        "uscc",
        source=rows.source_dept,
        number=ym_number(rows.data_month),
        compliance=ibis.literal(True),
        timeliness=_timely(category, rows),
        standardization=ibis.literal(False),
        filled=rows.filled,
        fields=len(category.fields),
        linkage=rows.linked.fill_null(False),
        covers=ibis.literal(False),
    )


def _seen(ground: _Ground, table: ibis.Table) -> ibis.Table:
    """Rows of the board's months that had arrived by `as_of`."""
    last = month_number(ground.law.as_of)
    return table.filter(in_time(table, ground.law.as_of), ym_number(table.data_month).between(last - MONTHS + 1, last))


def _linked(ground: _Ground, rows: ibis.Table) -> ibis.Table:
    if ground.registered is None:
        return rows.mutate(linked=ibis.null("boolean"))
    return rows.left_join(ground.registered, "uscc").drop("uscc_right")


def _timely(category: Category, rows: ibis.Table) -> ibis.Value:
    return date_number(rows.recv_time) <= ym_number(rows.data_month) + category.lag_months


def _tidy(category: Category, rows: ibis.Table) -> ibis.Value:
    """Names are there, and no text is empty or has white space around it."""
    texts = [field.name for field in category.fields if field.type == "str"]
    tidy = [((rows[name] == rows[name].strip()) & (rows[name] != "")).fill_null(True) for name in texts]
    named = [rows[name].notnull() & (rows[name].strip() != "") for name in ("record_id", "source_dept")]
    return reduce(and_, [*tidy, *named])


_FLAGS: Final = ("compliance", "timeliness", "standardization", "linkage")


def _sums(rows: ibis.Table) -> ibis.Table:
    flags = {name: rows[name].fill_null(False).cast("int64").sum() for name in _FLAGS}
    sums = rows.group_by("source", "number").agg(
        rows=rows.count(),
        enterprises=rows.uscc.nunique(),
        covered=rows.uscc.nunique(where=rows.covers),
        filled=rows.filled.sum(),
        fields=rows.fields.sum(),
        **flags,
    )
    return sums.order_by("source", "number")


def _followed(ground: _Ground, category: Category, rows: ibis.Table) -> dict[tuple[str, int], tuple[int, int]]:
    """(source, month) to (enterprises of the month before, those of them that are there again). Of monthly categories
    alone: elsewhere a month without a row is no gap."""
    if not _MONTHLY.fullmatch(category.cadence):
        return {}
    present = rows.filter(rows.uscc.notnull()).select("source", "number", "uscc").distinct()
    again = present.select("source", "uscc", number=present.number - 1, again=True)
    pairs = present.left_join(again, ["source", "uscc", "number"]).select("source", "number", "again")
    counted = pairs.group_by("source", number=pairs.number + 1).agg(
        before=pairs.count(), again=pairs.again.fill_null(False).cast("int64").sum()
    )
    found = ground.engine.fetch(counted.filter(counted.before >= LEAST_ENTERPRISES)).to_pylist()
    return {(one["source"], one["number"]): (int(one["before"]), int(one["again"])) for one in found}


def _total(
    ground: _Ground,
    category: Category,
    rows: ibis.Table,
    visible: Sequence[Mapping[str, Any]],
    followed: Mapping[tuple[str, int], tuple[int, int]],
) -> Cell:
    """Over the cells that are shown, so that no difference tells of one that is not."""
    columns = {name: pa.array([one[name] for one in visible]) for name in ("source", "number")}
    shown = ground.engine.keep(f"shown_{category.code}", ibis.memtable(pa.table(columns)))
    within = rows.select("uscc", "source", "number", "covers").semi_join(shown, ["source", "number"])
    counted = within.agg(enterprises=within.uscc.nunique(), covered=within.uscc.nunique(where=within.covers))
    (distinct,) = ground.engine.fetch(counted).to_pylist()
    sums = {name: sum(one[name] for one in visible) for name in visible[0] if name not in ("source", "number")}
    pairs = [followed[key] for one in visible if (key := (one["source"], one["number"])) in followed]
    before, again = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    return _cell(ground, category, {**sums, **distinct, "source": "", "number": None}, before, again)


def _cell(ground: _Ground, category: Category, sums: Mapping[str, Any], before: int, again: int) -> Cell:
    rows, enterprises, number = int(sums["rows"]), int(sums["enterprises"]), sums["number"]
    shares: dict[str, float] = {name: sums[name] / rows for name in _FLAGS}
    if ground.registered_count < LEAST_ENTERPRISES:
        del shares["linkage"]
    else:
        shares["coverage"] = int(sums["covered"]) / ground.registered_count
    if sums["fields"]:
        shares["completeness"] = sums["filled"] / sums["fields"]
    if before:
        shares["continuity"] = again / before
    return Cell(
        category=category.code,
        source=sums["source"],
        month=0 if number is None else int(number) // 12 * 100 + int(number) % 12 + 1,
        rows=_rounded(rows),
        enterprises=_rounded(enterprises),
        shares={name: round(float(shares[name]), _DECIMALS) for name in MEASURES if name in shares},
    )


def _rounded(count: int) -> int:
    """To the nearest multiple of the least cohort."""
    return (count + LEAST_ENTERPRISES // 2) // LEAST_ENTERPRISES * LEAST_ENTERPRISES
