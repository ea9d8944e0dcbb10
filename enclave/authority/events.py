"""Events for banks: made and signed in the transaction that changes a state, in one sequence a bank without a gap."""

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import Final

from xinyidai.events import (
    EVENT_ACKNOWLEDGEMENT_TYPE,
    AuthorizationEvent,
    EventKind,
    Initiator,
    parse_event_acknowledgement,
)
from xinyidai.identifiers import BankId, Uscc
from xinyidai.identity import verify_with_chain
from xinyidai.reasons import Reason

from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.errors import Refused

_BATCH: Final = 500
"""Most that lapse in one transaction, so that no charge waits long for it."""


@dataclass(frozen=True, slots=True)
class Happened:
    """What an event tells, besides its number and who signs it."""

    kind: EventKind
    bank: str
    enterprise: str
    effective_at: int
    initiator: Initiator
    authorization: str | None = None
    request: str | None = None
    parent: str | None = None


def emit(connection: sqlite3.Connection, trust: Trust, happened: Happened) -> None:
    """Sign and append an event, inside the transaction that changes the state it tells of."""
    (last,) = connection.execute(
        "SELECT coalesce(max(sequence), 0) FROM event WHERE bank = ?", (happened.bank,)
    ).fetchone()
    sequence = last + 1
    name = f"{trust.enclave_id}\n{happened.bank}\n{sequence}"
    event = AuthorizationEvent(
        enclave=trust.enclave_id,
        event_id=hashlib.sha256(name.encode()).hexdigest()[:32],
        bank=BankId(happened.bank),
        sequence=sequence,
        kind=happened.kind,
        enterprise=Uscc(happened.enterprise),
        effective_at=happened.effective_at,
        initiator=happened.initiator,
        authorization=happened.authorization,
        request=happened.request,
        parent=happened.parent,
    )
    connection.execute(
        "INSERT INTO event (bank, sequence, event_id, token) VALUES (?, ?, ?, ?)",
        (happened.bank, sequence, event.event_id, event.sign(trust.receipt_key)),
    )


def events_after(connection: sqlite3.Connection, position: int, count: int) -> list[tuple[int, str, int, str]]:
    """(position, bank, sequence, token) of events in the order they were made, over all banks."""
    return connection.execute(
        "SELECT position, bank, sequence, token FROM event WHERE position > ? ORDER BY position LIMIT ?",
        (position, count),
    ).fetchall()


def acknowledge(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> int:
    """Keep a bank's signed word that it has every event up to one; returns the sequence number that now holds.

    Raises `Refused` or `DocumentError`. An earlier one than before changes nothing."""
    signed = verify_with_chain(raw, EVENT_ACKNOWLEDGEMENT_TYPE, trust.banks)
    document = parse_event_acknowledgement(signed.claims)
    trust.check_stamp(document.stamp, now)
    if document.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    bank = signed.identity.name
    with transaction(connection, "acknowledge events"):
        spend_nonce(connection, signed.thumbprint, document.stamp, now)
        row = connection.execute(
            "SELECT event_id FROM event WHERE bank = ? AND sequence = ?", (bank, document.sequence)
        ).fetchone()
        if row is None or row[0] != document.event_id:
            raise Refused(Reason.EVENT_UNKNOWN, "no event of this bank has this number and id; read it again")
        connection.execute(
            "INSERT INTO event_acknowledgement VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " sequence = excluded.sequence, token = excluded.token, received_at = excluded.received_at"
            " WHERE excluded.sequence > sequence",
            (bank, document.sequence, raw, now),
        )
        (held,) = connection.execute("SELECT sequence FROM event_acknowledgement WHERE bank = ?", (bank,)).fetchone()
    return int(held)


def lapse_due(connection: sqlite3.Connection, trust: Trust, now: int) -> int:
    """Tell banks of authorizations and requests whose time is over; returns how many. Whether an authorization may be
    used is decided by the time itself, never by whether its end was told."""
    with transaction(connection, "tell what has expired"):
        ended = connection.execute(
            "SELECT digest, bank, enterprise, expires_at FROM authorization"
            " WHERE expiry_told = 0 AND expires_at <= ? AND state <> 'revoked' ORDER BY expires_at LIMIT ?",
            (now, _BATCH),
        ).fetchall()
        for digest, bank, enterprise, at in ended:
            connection.execute("UPDATE authorization SET expiry_told = 1 WHERE digest = ?", (digest,))
            happened = Happened(EventKind.EXPIRED, bank, enterprise, at, Initiator.TIME, authorization=digest)
            emit(connection, trust, happened)
        unanswered = connection.execute(
            "SELECT digest, bank, enterprise, respond_by FROM proposal WHERE state = 'pending' AND respond_by <= ?"
            " ORDER BY respond_by LIMIT ?",
            (now, _BATCH),
        ).fetchall()
        for digest, bank, enterprise, at in unanswered:
            connection.execute("UPDATE proposal SET state = 'expired' WHERE digest = ?", (digest,))
            emit(connection, trust, Happened(EventKind.EXPIRED, bank, enterprise, at, Initiator.TIME, request=digest))
    return len(ended) + len(unanswered)
