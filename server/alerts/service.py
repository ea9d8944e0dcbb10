"""Keeping sealed alerts until their bank has acknowledged them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import update
from sqlmodel import Session, col, select

from server.alerts.models import AlertCursor, SealedAlert
from server.authorizations.models import State, StoredAuthorization
from server.db.base import insert_or_ignore

MOST: Final = 100
_STOPPED: Final = (State.PAUSED, State.REVOKED)


@dataclass(frozen=True, slots=True)
class TakenAlert:
    alert_id: str
    bank: str
    authorization: str
    sealed: str
    made_at: int


def cursor_of(session: Session, enclave: str) -> int:
    found = session.get(AlertCursor, enclave)
    return found.last if found else 0


def keep_alerts(session: Session, enclave: str, taken: Sequence[TakenAlert], last: int) -> None:
    """Keeping one twice changes nothing, and the cursor only moves on."""
    rows = [{**asdict(entry), "enclave": enclave, "acknowledged_at": 0} for entry in taken]
    insert_or_ignore(session, SealedAlert, rows)
    insert_or_ignore(session, AlertCursor, [{"enclave": enclave, "last": 0}])
    session.execute(
        update(AlertCursor).where(col(AlertCursor.enclave) == enclave, col(AlertCursor.last) < last).values(last=last)
    )


def unacknowledged(session: Session, bank: str) -> list[SealedAlert]:
    """Oldest first, at most 100; none under an authorization that was paused or revoked meanwhile."""
    stopped = select(StoredAuthorization.digest).where(
        StoredAuthorization.bank == bank, col(StoredAuthorization.state).in_(_STOPPED)
    )
    query = select(SealedAlert).where(
        SealedAlert.bank == bank,
        SealedAlert.acknowledged_at == 0,
        col(SealedAlert.authorization).not_in(stopped),
    )
    return list(session.exec(query.order_by(col(SealedAlert.made_at), col(SealedAlert.alert_id)).limit(MOST)))


def acknowledge(session: Session, bank: str, alert_ids: Sequence[str], now: int) -> None:
    """Only the bank's own."""
    session.execute(
        update(SealedAlert)
        .where(
            col(SealedAlert.bank) == bank,
            col(SealedAlert.alert_id).in_(alert_ids),
            col(SealedAlert.acknowledged_at) == 0,
        )
        .values(acknowledged_at=now)
    )
