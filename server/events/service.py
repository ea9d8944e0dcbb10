"""Keeping events in the order their enclave gave them, and handing them out for delivery one at a time for each
bank."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, func, update
from sqlmodel import Session, col, select
from xinyidai.events import AuthorizationEvent, EventKind, parse_event
from xinyidai.identifiers import BankId
from xinyidai.signing import DocumentError, read_unverified

from server.authorizations.models import State
from server.authorizations.service import note_state
from server.banks.models import Bank
from server.db.base import insert_or_ignore, insert_or_update
from server.events.errors import EndpointInvalid, EventsUnreadable
from server.events.models import Delivery, EventEndpoint, OutboxEvent

GIVE_UP_SECONDS: Final = 86_400
LEASE_SECONDS: Final = 30
"""How long an event being delivered is nobody else's; a process that dies over it leaves it to the others then."""
_LONGEST_PAUSE_SECONDS: Final = 3_600
_MAX_URL: Final = 512


@dataclass(frozen=True, slots=True)
class Pulled:
    """An event as an enclave handed it over."""

    position: int
    bank: str
    sequence: int
    token: str


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event to be delivered now."""

    enclave: str
    bank: str
    sequence: int
    url: str
    token: str


def check_url(raw: str) -> str:
    """Raises `EndpointInvalid`. Only the operator sets addresses, after the bank asked for one; still none may carry a
    password, or leave the line open."""
    try:
        parts = urlsplit(raw)
    except ValueError as error:
        raise EndpointInvalid("地址格式有误 / not an address") from error
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.password or parts.fragment:
        raise EndpointInvalid(
            "地址应为 https:// 开头且不含口令 / the address begins with https:// and holds no password"
        )
    if len(raw) > _MAX_URL or not raw.isascii() or any(character.isspace() for character in raw):
        raise EndpointInvalid("地址过长或含非法字符 / the address is too long, or holds other than printable ASCII")
    return raw


def set_endpoint(session: Session, bank: BankId, url: str, now: int) -> None:
    row = {"bank": bank, "url": check_url(url), "set_at": now}
    insert_or_update(session, EventEndpoint, row, "bank", ("url", "set_at"))


def last_position(session: Session, enclave: str) -> int:
    """Up to where an enclave's events are here."""
    query = select(func.max(OutboxEvent.position)).where(OutboxEvent.enclave == enclave)
    return session.exec(query).one() or 0


def keep_events(session: Session, enclave: str, pulled: Sequence[Pulled], now: int) -> None:
    """Take over what an enclave handed over; the same again changes nothing. Raises `EventsUnreadable`."""
    rows = []
    for one in pulled:
        event = _read(one.token)
        if (event.bank, event.sequence, event.enclave) != (one.bank, one.sequence, enclave):
            raise EventsUnreadable("the enclave's event is not the one it was announced as")
        rows.append(
            {
                "enclave": enclave,
                "bank": one.bank,
                "sequence": one.sequence,
                "position": one.position,
                "event_id": event.event_id,
                "token": one.token,
                "state": str(Delivery.PENDING),
                "attempts": 0,
                "next_try_at": now,
            }
        )
        _note_end(session, event)
    insert_or_ignore(session, OutboxEvent, rows)


def _note_end(session: Session, event: AuthorizationEvent) -> None:
    """The copy for lists follows what is final; what can change back is noted when the statement passes."""
    ended = {EventKind.REVOKED: event.authorization, EventKind.NARROWED: event.parent}.get(event.kind)
    if ended is not None:
        note_state(session, ended, event.enterprise, State.REVOKED)


def _read(token: str) -> AuthorizationEvent:
    """Unverified: it came over the enclave's own channel, and grants nothing here. The bank verifies it."""
    try:
        return parse_event(read_unverified(token))
    except DocumentError as error:
        raise EventsUnreadable("the enclave's event cannot be read") from error


def list_events(session: Session, bank: BankId, enclave: str, after: int, count: int) -> list[str]:
    """A bank's events behind a sequence number, in order, without a gap."""
    query = (
        select(OutboxEvent)
        .where(OutboxEvent.bank == bank, OutboxEvent.enclave == enclave, col(OutboxEvent.sequence) > after)
        .order_by(col(OutboxEvent.sequence))
        .limit(count)
    )
    return [row.token for row in session.exec(query)]


def note_acknowledged(session: Session, bank: BankId, enclave: str, sequence: int, now: int) -> None:
    """What a bank has acknowledged to the enclave need not be pushed any more."""
    session.execute(
        update(OutboxEvent)
        .where(
            col(OutboxEvent.bank) == bank,
            col(OutboxEvent.enclave) == enclave,
            col(OutboxEvent.sequence) <= sequence,
            col(OutboxEvent.acknowledged_at).is_(None),
        )
        .values(acknowledged_at=now, state=str(Delivery.DELIVERED))
    )


def banks_due(session: Session, now: int) -> list[str]:
    """Banks with an address and an event whose turn it is; a bank that was removed is told nothing more."""
    query = (
        select(OutboxEvent.bank)
        .join(EventEndpoint, col(EventEndpoint.bank) == col(OutboxEvent.bank))
        .join(Bank, col(Bank.bank_id) == col(OutboxEvent.bank))
        .where(col(Bank.enabled), OutboxEvent.state == Delivery.PENDING, col(OutboxEvent.next_try_at) <= now)
        .distinct()
    )
    return list(session.exec(query))


def claim_next(session: Session, bank: str, now: int) -> Parcel | None:
    """The oldest event of a bank that was not delivered, if it is due and nobody else is at it; for each enclave its
    own order. The transaction makes it ours for as long as the lease lasts."""
    endpoint = session.get(EventEndpoint, bank)
    if endpoint is None:
        return None
    heads = session.exec(
        select(OutboxEvent.enclave, func.min(OutboxEvent.sequence))
        .where(OutboxEvent.bank == bank, OutboxEvent.state == Delivery.PENDING)
        .group_by(col(OutboxEvent.enclave))
    ).all()
    for enclave, sequence in heads:
        taken = session.execute(
            update(OutboxEvent)
            .where(
                *_key(enclave, bank, sequence),
                col(OutboxEvent.state) == Delivery.PENDING,
                col(OutboxEvent.next_try_at) <= now,
            )
            .values(
                next_try_at=now + LEASE_SECONDS,
                attempts=col(OutboxEvent.attempts) + 1,
                first_try_at=func.coalesce(col(OutboxEvent.first_try_at), now),
            )
            .returning(col(OutboxEvent.token))
            .execution_options(synchronize_session=False)
        ).first()
        if taken is not None:
            return Parcel(enclave, bank, sequence, endpoint.url, taken[0])
    return None


def note_delivered(session: Session, parcel: Parcel) -> None:
    session.execute(
        update(OutboxEvent)
        .where(*_key(parcel.enclave, parcel.bank, parcel.sequence))
        .values(state=str(Delivery.DELIVERED))
    )


def note_failed(session: Session, parcel: Parcel, now: int) -> None:
    """Try again later, each time after a pause twice as long; after a day no more."""
    row = session.get(OutboxEvent, (parcel.enclave, parcel.bank, parcel.sequence))
    if row is None or row.state != Delivery.PENDING:
        return
    pause = min(2 ** min(row.attempts, 16), _LONGEST_PAUSE_SECONDS)
    gone = now - (row.first_try_at or now) >= GIVE_UP_SECONDS
    row.next_try_at = now + pause
    row.state = str(Delivery.PARKED if gone else Delivery.PENDING)
    session.add(row)


def _key(enclave: str, bank: str, sequence: int) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OutboxEvent.enclave) == enclave,
        col(OutboxEvent.bank) == bank,
        col(OutboxEvent.sequence) == sequence,
    )
