"""Records to a snapshot: read, compute, code, write; and the report an operator sees."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from unicodedata import east_asian_width

from xinyidai.catalogue import Catalogue

from enclave.features.coding import code_values
from enclave.features.values import feature_values
from enclave.matrix import SnapshotStore
from enclave.records.reader import CategoryCount

_HEADINGS = (
    "类别 / category",
    "记录 / rows",
    "重复 / duplicates",
    "代码不合格 / malformed",
    "校验位不符 / check failed",
    "晚于截止日 / late",
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

    def text(self) -> str:
        """A table, Chinese and English."""
        rows = [_HEADINGS, *(_row(count) for count in self.categories)]
        widths = [max(_width(row[at]) for row in rows) for at in range(len(_HEADINGS))]
        lines = ["  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        if self.absent:
            lines.append(f"无文件 / no file: {', '.join(self.absent)}")
        lines.append(
            f"快照 / snapshot {self.snapshot_id}  截至 / as of {self.as_of.isoformat()}  "
            f"企业 / enterprises {self.enterprises}  特征 / features {self.features}"
        )
        return "\n".join(line.rstrip() for line in lines)


def build_snapshot(records: Path, catalogue: Catalogue, store: SnapshotStore, as_of: date) -> LoadReport:
    """Compute and code the features of everyone and make them the current snapshot.

    Raises `RecordsError`, `NoFeatureRule`, or `ValueError` unless `as_of` ends a month; nothing is written then. What
    `feature_values` does not guarantee, this does not either.
    """
    found = feature_values(records, catalogue, as_of)
    cells = code_values(catalogue, found.values, found.status)
    held = {count.code for count in found.counts}
    return LoadReport(
        snapshot_id=store.write(as_of, found.enterprises, cells),
        as_of=as_of,
        categories=found.counts,
        absent=tuple(category.code for category in catalogue.categories if category.code not in held),
        enterprises=int(found.enterprises.size),
        features=len(catalogue.features),
    )


def _row(count: CategoryCount) -> tuple[str, ...]:
    numbers = (count.rows, count.duplicates, count.malformed, count.check_failed, count.late, count.enterprises)
    return (count.code, *(str(number) for number in numbers))


def _width(text: str) -> int:
    """Columns on a terminal, where a Chinese character takes two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
