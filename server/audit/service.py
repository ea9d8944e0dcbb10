"""Appending to the audit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import insert
from sqlmodel import Session

from server.audit.models import AuditEvent, Kind

OK: Final = "OK"
CANCELLED: Final = "CANCELLED"


@dataclass(frozen=True, slots=True)
class Event:
    kind: Kind
    outcome: str
    enclave: str | None = None
    bank: str | None = None
    enterprise: str | None = None
    model: str | None = None
    authorization: str | None = None
    assessment: str | None = None


def append(session: Session, events: Sequence[Event], now: int) -> None:
    if events:
        session.execute(insert(AuditEvent), [{**asdict(event), "at": now} for event in events])
