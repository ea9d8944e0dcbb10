"""The records of one enterprise as it is shown them: all that the snapshot was made of, used or left out."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import Uscc
from xinyidai.own_records import MAX_PAGE, Holding, OwnRecord, record_claims, shown

from enclave.lineage.rows import DISPUTED, enterprise_rows
from enclave.records.disputed import Disputed
from enclave.records.reader import Source

_LIST_BYTES: Final = 32_000
"""What the records of one answer may take; the holdings of the other categories need the rest."""
_ID: Final = 256


@dataclass(frozen=True, slots=True)
class Page:
    holdings: tuple[Holding, ...]
    records: tuple[OwnRecord, ...]
    more: bool


def read_page(
    source: Source,
    catalogue: Catalogue,
    enterprise: Uscc,
    as_of: date,
    disputed: Sequence[Disputed],
    category: str,
    offset: int,
) -> Page:
    """What every category holds, and the records of one of them ("": of none) from `offset` on. Raises `RecordsError`.

    The newest version of each record that had arrived by `as_of`. An enterprise whose code fails its check character
    has no records here, as it has none anywhere else.
    """
    codes = [one.code for one in catalogue.categories]
    # Without the disputes: a record in dispute is shown, with the word for it.
    rows = enterprise_rows(source, catalogue, codes, enterprise, as_of, (), without_empty=True)
    shut: dict[str, dict[str, str]] = {code: {} for code in codes}
    for record in rows.left_out:
        shut[record.category].setdefault(record.record_id, record.rule)
    own = {code: _until(disputed, code, enterprise) for code in codes}
    holdings, listed = [], []
    for code in codes:
        table = rows.kept[code].to_pylist() if code in rows.kept else []
        rules = [_rule(row, shut[code], own[code]) for row in table]
        holdings.append(_holding(code, table, rules))
        if code == category:
            pairs = sorted(zip(table, rules, strict=True), key=lambda pair: _age(pair[0]), reverse=True)
            names = [field.name for field in catalogue.category(code).fields]
            listed = [_record(row, names, rule) for row, rule in pairs[offset : offset + MAX_PAGE + 1]]
    fitting = list(_within(listed[:MAX_PAGE]))
    return Page(tuple(holdings), tuple(fitting), len(fitting) < len(listed))


def _until(disputed: Sequence[Disputed], category: str, enterprise: Uscc) -> dict[str, int | None]:
    """Record id to until when its versions are out; None: every version."""
    return {one.record_id: one.until for one in disputed if (one.category, one.enterprise) == (category, enterprise)}


def _rule(row: Mapping[str, Any], shut: Mapping[str, str], disputed: Mapping[str, int | None]) -> str:
    record_id = row["record_id"] or ""
    if record_id in disputed:
        until = disputed[record_id]
        if until is None or row["recv_time"] <= datetime.fromtimestamp(until, UTC).replace(tzinfo=None):
            return DISPUTED
    return shut.get(record_id[:_ID], "")


def _age(row: Mapping[str, Any]) -> tuple[int, datetime, str]:
    return (row["data_month"] or 0, row["recv_time"], row["record_id"] or "")


def _holding(code: str, table: Sequence[Mapping[str, Any]], rules: Sequence[str]) -> Holding:
    return Holding(
        category=code,
        records=len(table),
        left_out=sum(1 for rule in rules if rule),
        latest_month=max((row["data_month"] or 0 for row in table), default=0),
        last_received=max(row["recv_time"] for row in table).isoformat(timespec="seconds") if table else "",
    )


def _record(row: Mapping[str, Any], names: Sequence[str], rule: str) -> OwnRecord:
    said = ((name, _text(row[name])) for name in names)
    return OwnRecord(
        record_id=shown(row["record_id"] or "-", _ID),
        source=shown(row["source_dept"] or "", _ID),
        month=row["data_month"] or 0,
        received=row["recv_time"].isoformat(timespec="seconds"),
        rule=rule,
        fields=tuple((name, text) for name, text in said if text),
    )


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, date):
        return value.isoformat()
    return shown(str(value))


def _within(records: Sequence[OwnRecord]) -> Iterator[OwnRecord]:
    """As many as one document holds."""
    room = _LIST_BYTES
    for record in records:
        room -= len(json.dumps(record_claims(record), ensure_ascii=False).encode())
        if room < 0:
            return
        yield record
