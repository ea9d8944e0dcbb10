"""Disputes of records: opened and withdrawn by the enterprise's signed statement, decided by a department's.

Which record is disputed is sealed in the table, like the private key that names travel under: nothing about a record is
readable on disk. A dispute holds from the next snapshot on.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from xinyidai.catalogue import UnknownCategory
from xinyidai.confidential import OpeningKey
from xinyidai.disputes import DECISION_TYPE, Outcome, RecordName, open_record_name, parse_decision
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.reasons import Reason
from xinyidai.statements import Action, Statement

from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.records.disputed import Disputed

MAX_OPEN: Final = 100
"""Undecided disputes of one enterprise."""
OPEN: Final = "open"
_WITHDRAWN: Final = "withdrawn"
_KEY: Final = "dispute key"
_LABEL: Final = "disputed record"


@dataclass(frozen=True, slots=True)
class Dispute:
    sequence: int
    enterprise: str
    record: RecordName
    state: str
    """open, upheld, dismissed or withdrawn."""
    opened_at: int
    decided_at: int | None


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
    """Every dispute, oldest first; of one enterprise if named."""
    rows = connection.execute(
        "SELECT sequence, enterprise, sealed, state, opened_at, decided_at FROM dispute"
        " WHERE ? IN ('', enterprise) ORDER BY sequence",
        (enterprise,),
    ).fetchall()
    return [Dispute(at, who, _unseal(environment, sealed), *rest) for at, who, sealed, *rest in rows]


def left_out(connection: sqlite3.Connection, environment: Environment) -> list[Disputed]:
    """What a snapshot must do without: records in dispute, and the disputed versions of those disputed rightly."""
    return [
        Disputed(one.record.category, one.enterprise, one.record.record_id, one.decided_at)
        for one in disputes(connection, environment)
        if one.state in (OPEN, Outcome.UPHELD)
    ]


def carry_out(
    connection: sqlite3.Connection,
    trust: Trust,
    environment: Environment,
    key: OpeningKey,
    statement: Statement,
    now: int,
) -> None:
    """Open or withdraw a dispute, inside the statement's transaction. Opening it again changes nothing, and so does
    disputing a record that this enterprise does not have: whether it has one is not told."""
    record = open_record_name(statement.record or "", key)
    try:
        trust.catalogue.category(record.category)
    except UnknownCategory as error:
        raise Refused(Reason.CATEGORY_UNKNOWN, "the record is of no category of the catalogue") from error
    known = disputes(connection, environment, statement.enterprise)
    same = next((one for one in known if one.record == record and one.state == OPEN), None)
    if statement.action is Action.WITHDRAW_DISPUTE:
        if same is None:
            raise Refused(Reason.DISPUTE_UNKNOWN, "this enterprise has no such open dispute")
        _close(connection, same, _WITHDRAWN, now)
    elif same is None:
        if sum(one.state == OPEN for one in known) >= MAX_OPEN:
            raise Refused(Reason.DISPUTE_LIMIT, f"an enterprise has at most {MAX_OPEN} undecided disputes")
        connection.execute(
            "INSERT INTO dispute (enterprise, sealed, state, opened_at) VALUES (?, ?, ?, ?)",
            (statement.enterprise, _seal(environment, record), OPEN, now),
        )


def decide(
    connection: sqlite3.Connection,
    trust: Trust,
    environment: Environment,
    departments: TrustAnchor,
    writers: Mapping[str, tuple[str, ...]],
    raw: str,
    now: int,
) -> Dispute:
    """Carry out a department's signed decision on a record of a category it writes. Raises `Refused`,
    `DocumentError`."""
    signed = verify_with_chain(raw, DECISION_TYPE, departments)
    decision = parse_decision(signed.claims)
    trust.check_stamp(decision.stamp, now)
    if decision.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another department")
    if decision.record.category not in writers.get(decision.stamp.issuer, ()):
        raise Refused(Reason.CATEGORY_FORBIDDEN, "this department does not write that category")
    with transaction(connection, "decide dispute"):
        spend_nonce(connection, signed.thumbprint, decision.stamp, now)
        known = disputes(connection, environment, decision.enterprise)
        same = next((one for one in known if one.record == decision.record and one.state == OPEN), None)
        if same is None:
            raise Refused(Reason.DISPUTE_UNKNOWN, "no such dispute is open")
        _close(connection, same, decision.outcome, now)
    return Dispute(same.sequence, same.enterprise, same.record, decision.outcome, same.opened_at, now)


def _close(connection: sqlite3.Connection, dispute: Dispute, state: str, now: int) -> None:
    connection.execute(
        "UPDATE dispute SET state = ?, decided_at = ? WHERE sequence = ?", (str(state), now, dispute.sequence)
    )


def _seal(environment: Environment, record: RecordName) -> bytes:
    # Padded by no more than JSON: only this machine's owner sees the length, and it holds the records anyway.
    return environment.seal(_LABEL, json.dumps([record.category, record.record_id], ensure_ascii=False).encode())


def _unseal(environment: Environment, sealed: bytes) -> RecordName:
    opened = environment.unseal(_LABEL, sealed)
    try:
        category, record_id = json.loads(opened.reveal())
    finally:
        opened.wipe()
    return RecordName(category, record_id)
