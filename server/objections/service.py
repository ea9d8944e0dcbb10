"""Noting how far objections are, and showing an operator what is late. Every look leaves a line of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func
from sqlmodel import Session, col, select
from xinyidai.disputes import stage

from server.db.base import insert_or_update
from server.objections.errors import OperatorUnnamed
from server.objections.models import ObjectionLook, ObjectionProgress

_UNDECIDED: Final = ("marked", "transferred")
_UPDATED: Final = ("state", "transferred_at", "decide_by", "cap_at", "decided_at", "change")
MAX_LATE: Final = 500


@dataclass(frozen=True, slots=True)
class Overview:
    """For the operator: numbers, and what is late by its id. Which department and what about is known in the data
    domain."""

    counts: Mapping[str, int]
    """By stage: marked, transferred, escalated, unverified, decided, withdrawn."""
    decided_in_time: int
    decided_late: int
    late: tuple[ObjectionProgress, ...]
    """Undecided and overdue, the longest overdue first."""


def last_change(session: Session, enclave: str) -> int:
    query = select(func.max(ObjectionProgress.change)).where(ObjectionProgress.enclave == enclave)
    return session.exec(query).one() or 0


def note_progress(session: Session, enclave: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """What an enclave reports, in the order of its changes."""
    for row in rows:
        insert_or_update(session, ObjectionProgress, {**row, "enclave": enclave}, "objection_id", _UPDATED)


def overview(session: Session, operator: str, now: int, what: str = "overview") -> Overview:
    """Raises `OperatorUnnamed`. Call in a writing transaction: the look is noted with it, as `what`."""
    look(session, operator, what, now)
    rows = session.exec(select(ObjectionProgress)).all()
    counts: dict[str, int] = {}
    for row in rows:
        reached = stage(row.state, now, row.decide_by, row.cap_at)
        counts[reached] = counts.get(reached, 0) + 1
    decided = [row for row in rows if row.state == "decided"]
    late = sorted((row for row in rows if is_late(row, now)), key=lambda row: (row.decide_by, row.objection_id))
    in_time = sum(row.decided_at <= row.decide_by for row in decided)
    return Overview(counts, in_time, len(decided) - in_time, tuple(late[:MAX_LATE]))


def is_late(row: ObjectionProgress, now: int) -> bool:
    return row.state in _UNDECIDED and now > row.decide_by


def look(session: Session, operator: str, what: str, now: int) -> None:
    """Raises `OperatorUnnamed`."""
    if not 1 <= len(operator.strip()) <= 64:
        raise OperatorUnnamed("请写明经办人 / say who looks, in 1 to 64 characters")
    session.add(ObjectionLook(at=now, operator=operator.strip(), what=what))


def looks(session: Session, count: int) -> list[ObjectionLook]:
    """Who looked, newest first."""
    return list(session.exec(select(ObjectionLook).order_by(col(ObjectionLook.look_id).desc()).limit(count)))
