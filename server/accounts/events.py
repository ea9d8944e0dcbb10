"""The audit of accounts: appending and listing."""

from dataclasses import asdict, dataclass

from sqlalchemy import insert
from sqlmodel import Session, col, select

from server.accounts.models import AccountEvent, AccountEventKind, AccountRole

MOST_LISTED = 200


@dataclass(frozen=True, slots=True)
class AccountNote:
    kind: AccountEventKind
    role: str
    holder: str
    outcome: str = "OK"
    address: str = ""
    detail: str = ""


def note(session: Session, event: AccountNote, now: int) -> None:
    session.execute(insert(AccountEvent).values(**asdict(event), at=now))


def events_of(session: Session, role: AccountRole, holder: str, most: int = 20) -> list[AccountEvent]:
    """Of one account, newest first."""
    found = select(AccountEvent).where(AccountEvent.role == role, AccountEvent.holder == holder)
    return list(session.exec(found.order_by(col(AccountEvent.event_id).desc()).limit(min(most, MOST_LISTED))))


def latest_events(session: Session, most: int = 100) -> list[AccountEvent]:
    """Of all accounts, newest first."""
    newest = select(AccountEvent).order_by(col(AccountEvent.event_id).desc())
    return list(session.exec(newest.limit(min(most, MOST_LISTED))))
