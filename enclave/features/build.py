"""Records to a snapshot: read, compute, code, write; and the report an operator sees."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from unicodedata import east_asian_width

import numpy as np
from xinyidai.catalogue import Catalogue

from enclave.features.prints import Prints, made_with, take_prints
from enclave.features.refresh import Before, refresh_cells
from enclave.features.registry import plan
from enclave.features.values import opened_tables
from enclave.matrix import SnapshotError, SnapshotStore
from enclave.records.disputed import Disputed
from enclave.records.reader import CategoryCount, Source

_HEADINGS = (
    "类别 / category",
    "记录 / rows",
    "重复 / duplicates",
    "代码不合格 / malformed",
    "校验位不符 / check failed",
    "晚于截止日 / late",
    "异议 / disputed",
    "企业 / enterprises",
)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What a load read and wrote: numbers alone, nothing of any enterprise."""

    snapshot_id: str
    as_of: date
    categories: tuple[CategoryCount, ...]
    """Of the files that were there, in catalogue order."""
    absent: tuple[str, ...]
    """Category codes without a file."""
    enterprises: int
    features: int
    computed: int
    """Enterprises whose features were computed and not taken over, summed over the categories."""

    def text(self) -> str:
        """A table, Chinese and English."""
        rows = [_HEADINGS, *(_row(count) for count in self.categories)]
        widths = [max(_width(row[at]) for row in rows) for at in range(len(_HEADINGS))]
        lines = ["  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        if self.absent:
            lines.append(f"无文件 / no file: {', '.join(self.absent)}")
        lines.append(
            f"快照 / snapshot {self.snapshot_id}  截至 / as of {self.as_of.isoformat()}  "
            f"企业 / enterprises {self.enterprises}  特征 / features {self.features}  重算 / computed {self.computed}"
        )
        return "\n".join(line.rstrip() for line in lines)


def build_snapshot(
    records: Source,
    catalogue: Catalogue,
    store: SnapshotStore,
    as_of: date,
    disputed: Sequence[Disputed] = (),
    *,
    anew: bool = False,
    accounted: int = 0,
) -> LoadReport:
    """Compute and code the features of everyone and make them the current snapshot.

    What did not change since the current snapshot is taken from it, unless `anew`; the cells are those of a full build
    either way. `accounted`: the last change of what is left out that is in `disputed`. Raises `RecordsError`,
    `NoFeatureRule`, or `ValueError` unless `as_of` ends a month; nothing is written then. What `feature_values` does
    not guarantee, this does not either.
    """
    plan(catalogue)
    before = None if anew else _current(store, catalogue)
    with opened_tables(records, catalogue, as_of, None, disputed) as opened:
        salt = None if before is None else before.prints.salt
        prints = take_prints(opened.engine, opened.tables, made_with(catalogue.digest), salt)
        refreshed = refresh_cells(catalogue, opened, prints, before)
    counts = opened.tables.records.counts
    held = {count.code for count in counts}
    snapshot_id = store.write(as_of, opened.enterprises, refreshed.cells, accounted)
    prints.save(store.root / snapshot_id)
    return LoadReport(
        snapshot_id=snapshot_id,
        as_of=as_of,
        categories=counts,
        absent=tuple(category.code for category in catalogue.categories if category.code not in held),
        enterprises=int(opened.enterprises.size),
        features=len(catalogue.features),
        computed=refreshed.computed,
    )


def _current(store: SnapshotStore, catalogue: Catalogue) -> Before | None:
    """The current snapshot, when what it was made of is known and this code would make the same of it."""
    try:
        snapshot_id = store.current_id()
        matrix = store.open(snapshot_id)
    except SnapshotError:
        return None
    prints = Prints.load(store.root / snapshot_id)
    if prints is None or prints.made_with != made_with(catalogue.digest):
        return None
    folder = store.root / snapshot_id
    enterprises, cells = (np.load(folder / name, mmap_mode="r") for name in ("enterprises.npy", "cells.npy"))
    return Before(date.fromisoformat(matrix.as_of), enterprises, cells, prints)


def _row(count: CategoryCount) -> tuple[str, ...]:
    aside = (count.duplicates, count.malformed, count.check_failed, count.late, count.disputed)
    return (count.code, *(str(number) for number in (count.rows, *aside, count.enterprises)))


def _width(text: str) -> int:
    """Columns on a terminal, where a Chinese character takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
