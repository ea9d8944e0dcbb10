"""Objections to records: opened and withdrawn by the enterprise's signed statement, decided by a department's.

What is objected to, in which words, and the reply are sealed in the table, like the private key that names travel
under: nothing about a record is readable on disk. Each change acts on every assessment charged after it (`revisions`).
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from xinyidai.catalogue import Catalogue, UnknownCategory
from xinyidai.confidential import OpeningKey
from xinyidai.disputes import (
    DECISION_TYPE,
    Decision,
    Objection,
    Outcome,
    RecordName,
    open_objection,
    parse_decision,
    parse_objection,
)
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.requests import Stamp
from xinyidai.signing import Claims
from xinyidai.statements import Action, Statement

from enclave.authority.revisions import change_of, last_change, next_change, note_change
from enclave.authority.store import transaction
from enclave.authority.trust import spend_nonce
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.records.disputed import Disputed

MAX_OPEN: Final = 100
"""Undecided objections of one enterprise."""
MAX_A_YEAR: Final = 500
"""Of one enterprise, withdrawn ones among them: each costs a computation, and a place that is read again and again."""
OPEN: Final = "open"
_WITHDRAWN: Final = "withdrawn"
_KEY: Final = "dispute key"
_LABEL: Final = "disputed record"
_REPLY: Final = "reply to an objection"
_COLUMNS: Final = (
    "sequence, objection_id, enterprise, sealed, state, opened_at, transferred_at, decided_at, reply, noticed, change"
)


class Audience(Protocol):
    """Of signed documents: who checks that they are meant for this data domain, and now."""

    @property
    def catalogue(self) -> Catalogue: ...

    def check_stamp(self, stamp: Stamp, now: int) -> None:
        """Raises `Refused`."""


@dataclass(frozen=True, slots=True)
class Dispute:
    sequence: int
    objection_id: str
    enterprise: str
    objection: Objection
    state: str
    """open, upheld, dismissed, repaired or withdrawn."""
    opened_at: int
    transferred_at: int | None
    decided_at: int | None
    reply: str
    noticed: bool
    """A department's notice that a record was repaired, which nobody had objected to."""
    change: int

    @property
    def record(self) -> RecordName:
        return self.objection.record

    @property
    def progress(self) -> str:
        """In the words of `xinyidai.disputes.stage`, before any deadline."""
        if self.state != OPEN:
            return self.state
        return "marked" if self.transferred_at is None else "transferred"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What must be done without, and the number of the last change that is in it."""

    disputed: tuple[Disputed, ...]
    change: int
    categories: frozenset[str]
    """Of every record that was ever objected to, so that a restored one is computed again too."""


def dispute_key(connection: sqlite3.Connection, environment: Environment) -> OpeningKey:
    """The key that enterprises name records to; made on first use, and sealed."""
    with transaction(connection, "first dispute key"):
        row = connection.execute("SELECT sealed FROM sealed_secret WHERE name = ?", (_KEY,)).fetchone()
        if row is None:
            row = (environment.seal(_KEY, OpeningKey.generate().to_der()),)
            connection.execute("INSERT INTO sealed_secret VALUES (?, ?)", (_KEY, row[0]))
    secret = environment.unseal(_KEY, row[0])
    try:
        return OpeningKey.from_der(secret.reveal())
    finally:
        secret.wipe()


def disputes(connection: sqlite3.Connection, environment: Environment, enterprise: str = "") -> list[Dispute]:
    """Every objection, oldest first; of one enterprise if named."""
    condition, values = ("enterprise = ?", (enterprise,)) if enterprise else ("true", ())
    query = f"SELECT {_COLUMNS} FROM dispute WHERE {condition} ORDER BY sequence"  # noqa: S608
    return [_read(environment, row) for row in connection.execute(query, values).fetchall()]


def changed_after(connection: sqlite3.Connection, environment: Environment, change: int, count: int) -> list[Dispute]:
    """Objections that changed after a change number, in the order of their changes; notices are not among them."""
    query = f"SELECT {_COLUMNS} FROM dispute WHERE change > ? AND NOT noticed ORDER BY change LIMIT ?"  # noqa: S608
    return [_read(environment, row) for row in connection.execute(query, (change, count)).fetchall()]


def left_out(connection: sqlite3.Connection, environment: Environment, enterprise: str = "") -> LeftOut:
    """What a snapshot, or the row of one enterprise, must do without: records in dispute, the disputed versions of
    those disputed rightly, and repaired ones."""
    with transaction(connection, "read what is left out"):
        known = disputes(connection, environment, enterprise)
        change = change_of(connection, enterprise) if enterprise else last_change(connection)
    disputed = tuple(
        Disputed(
            one.record.category,
            one.enterprise,
            one.record.record_id,
            one.decided_at if one.state == Outcome.UPHELD else None,
        )
        for one in known
        if one.state in (OPEN, Outcome.UPHELD, Outcome.REPAIRED)
    )
    return LeftOut(disputed, change, frozenset(one.record.category for one in known))


def carry_out(
    connection: sqlite3.Connection,
    audience: Audience,
    environment: Environment,
    key: OpeningKey,
    statement: Statement,
    now: int,
) -> None:
    """Open or withdraw an objection, inside the statement's transaction. Opening it again changes nothing, and so does
    objecting to a record that this enterprise does not have: whether it has one is not told."""
    objection = open_objection(statement.record or "", key)
    _check_category(audience.catalogue, objection.record)
    known = disputes(connection, environment, statement.enterprise)
    same = _open_one(known, objection.record)
    if statement.action is Action.WITHDRAW_DISPUTE:
        if same is None:
            raise Refused(Reason.DISPUTE_UNKNOWN, "this enterprise has no such open dispute")
        _close(connection, environment, same, _WITHDRAWN, "", now)
    elif same is None:
        if sum(one.state == OPEN for one in known) >= MAX_OPEN:
            raise Refused(Reason.DISPUTE_LIMIT, f"an enterprise has at most {MAX_OPEN} undecided disputes")
        if sum(one.opened_at > now - 365 * DAY_SECONDS and not one.noticed for one in known) >= MAX_A_YEAR:
            raise Refused(Reason.DISPUTE_LIMIT, f"an enterprise opens at most {MAX_A_YEAR} disputes in a year")
        _open(connection, environment, statement.enterprise, objection, now)


def transfer(
    connection: sqlite3.Connection, environment: Environment, categories: Sequence[str], now: int
) -> list[Dispute]:
    """Every objection to records of these categories, oldest first; the open ones are the department's from now on."""
    # Opening the seals takes time that no charge shall wait for; what changes meanwhile is left to the next call.
    own = [one for one in disputes(connection, environment) if one.record.category in categories]
    fresh = [one.sequence for one in own if one.progress == "marked"]
    with transaction(connection, "transfer objections"):
        for sequence in fresh:
            connection.execute(
                "UPDATE dispute SET transferred_at = ?, change = ? WHERE sequence = ? AND state = 'open'"
                " AND transferred_at IS NULL",
                (now, next_change(connection), sequence),
            )
    return [replace(one, transferred_at=now) if one.sequence in fresh else one for one in own]


def decide(
    connection: sqlite3.Connection,
    audience: Audience,
    environment: Environment,
    departments: TrustAnchor,
    writers: Mapping[str, tuple[str, ...]],
    raw: str,
    now: int,
    department: str = "",
) -> Dispute:
    """Carry out a department's signed decision on a record of a category it writes, or its notice of a repair.

    `department`: who presents it, where that is known; it must be who signed. Raises `Refused`, `DocumentError`."""
    signed = verify_with_chain(raw, DECISION_TYPE, departments)
    decision = parse_decision(signed.claims)
    audience.check_stamp(decision.stamp, now)
    if decision.stamp.issuer != signed.identity.name or department not in ("", signed.identity.name):
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another department")
    if decision.record.category not in writers.get(decision.stamp.issuer, ()):
        raise Refused(Reason.CATEGORY_FORBIDDEN, "this department does not write that category")
    with transaction(connection, "decide dispute"):
        spend_nonce(connection, signed.thumbprint, decision.stamp, now)
        same = _open_one(disputes(connection, environment, decision.enterprise), decision.record)
        if same is not None:
            sequence = same.sequence
            _close(connection, environment, same, decision.outcome, decision.reply, now)
        elif decision.outcome is Outcome.REPAIRED:
            sequence = _note_repair(connection, environment, decision, now)
        else:
            raise Refused(Reason.DISPUTE_UNKNOWN, "no such dispute is open")
        (done,) = (one for one in disputes(connection, environment, decision.enterprise) if one.sequence == sequence)
    return done


def _note_repair(connection: sqlite3.Connection, environment: Environment, decision: Decision, now: int) -> int:
    known = disputes(connection, environment, decision.enterprise)
    for one in known:
        if one.record == decision.record and one.state == Outcome.REPAIRED:
            return one.sequence
    objection = Objection(decision.record)
    sequence = _open(connection, environment, decision.enterprise, objection, now, noticed=True)
    connection.execute(
        "UPDATE dispute SET state = ?, decided_at = ?, reply = ? WHERE sequence = ?",
        (str(Outcome.REPAIRED), now, _seal_reply(environment, decision.reply), sequence),
    )
    return sequence


def _open(
    connection: sqlite3.Connection,
    environment: Environment,
    enterprise: str,
    objection: Objection,
    now: int,
    *,
    noticed: bool = False,
) -> int:
    change = next_change(connection)
    sealed = environment.seal(_LABEL, json.dumps(objection.claims(), ensure_ascii=False).encode())
    added = connection.execute(
        "INSERT INTO dispute (enterprise, sealed, state, opened_at, objection_id, noticed, change)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING sequence",
        (enterprise, sealed, OPEN, now, environment.random_bytes(16).hex(), noticed, change),
    ).fetchone()
    note_change(connection, environment, enterprise, change)
    return int(added[0])


def _close(
    connection: sqlite3.Connection, environment: Environment, dispute: Dispute, state: str, reply: str, now: int
) -> None:
    change = next_change(connection)
    connection.execute(
        "UPDATE dispute SET state = ?, decided_at = ?, reply = ?, change = ? WHERE sequence = ?",
        (str(state), now, _seal_reply(environment, reply), change, dispute.sequence),
    )
    note_change(connection, environment, dispute.enterprise, change)


def _seal_reply(environment: Environment, reply: str) -> bytes | None:
    return environment.seal(_REPLY, reply.encode()) if reply else None


def _open_one(known: Sequence[Dispute], record: RecordName) -> Dispute | None:
    return next((one for one in known if one.record == record and one.state == OPEN), None)


def _check_category(catalogue: Catalogue, record: RecordName) -> None:
    try:
        catalogue.category(record.category)
    except UnknownCategory as error:
        raise Refused(Reason.CATEGORY_UNKNOWN, "the record is of no category of the catalogue") from error


def _read(environment: Environment, row: tuple[Any, ...]) -> Dispute:
    sequence, name, enterprise, sealed, state, opened, transferred, decided, reply, noticed, change = row
    found = json.loads(_unseal(environment, _LABEL, sealed))
    # An earlier release kept the bare name.
    members = {"category": found[0], "record_id": found[1]} if isinstance(found, list) else found
    said = _unseal(environment, _REPLY, reply).decode() if reply is not None else ""
    return Dispute(
        sequence, name, enterprise, parse_objection(Claims(members)), state, opened, transferred, decided, said,
        bool(noticed), change,
    )  # fmt: skip


def _unseal(environment: Environment, label: str, sealed: bytes) -> bytes:
    opened = environment.unseal(label, sealed)
    try:
        return opened.reveal()
    finally:
        opened.wipe()
