"""From an enterprise and a feature to the records, rules and value."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from xinyidai.catalogue import Catalogue, Feature
from xinyidai.identifiers import Uscc
from xinyidai.lineage import LineageRecord

from enclave.features.coding import ValueStatus
from enclave.lineage.experiments import Said, TooManyRecords, attribute
from enclave.lineage.rows import enterprise_rows, records_of
from enclave.records.disputed import Disputed
from enclave.records.law import Law
from enclave.records.reader import Source


@dataclass(frozen=True, slots=True)
class Trace:
    said: Said | None
    """None: too many records to work it out."""
    rules: tuple[str, ...]
    """In force for the categories the feature reads."""
    records: tuple[LineageRecord, ...]
    """Those that made the value, newest month first."""
    left_out: tuple[LineageRecord, ...]

    def cell(self, feature: Feature) -> int | None:
        """Where the value lies on the grid."""
        if self.said is None:
            return None
        if self.said.status is ValueStatus.VALUE:
            return feature.cell_of(self.said.value)
        return feature.missing if self.said.status is ValueStatus.MISSING else feature.not_applicable


def trace(
    source: Source,
    catalogue: Catalogue,
    feature: Feature,
    enterprise: Uscc,
    as_of: date,
    disputed: Sequence[Disputed] = (),
) -> Trace:
    """Raises `RecordsError`, and `ValueError` unless `as_of` ends a month."""
    rows = enterprise_rows(source, catalogue, feature.sources, enterprise, as_of, disputed)
    law = Law.at(as_of, catalogue)
    rules = dict.fromkeys(code for name in feature.sources for code, _ in law.applications.get(name, ()))
    try:
        found = attribute(catalogue, feature, rows.kept, as_of)
    except TooManyRecords:
        return Trace(None, tuple(rules), (), rows.left_out)
    records: list[LineageRecord] = []
    for code, flags in found.contributing.items():
        records += records_of(code, rows.kept[code].take(pa.array(np.flatnonzero(flags))))
    return Trace(found.said, tuple(rules), tuple(sorted(records, key=_newest_first)), rows.left_out)


def _newest_first(record: LineageRecord) -> tuple[int, str]:
    return (-record.month, record.record_id)
