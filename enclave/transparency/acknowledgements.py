"""Signing that a document of an enterprise was carried out, and keeping that in the log."""

import sqlite3

from xinyidai.acknowledgement import Acknowledgement
from xinyidai.identifiers import Uscc
from xinyidai.signing import signed_digest
from xinyidai.transparency import SALT_BYTES

from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.transparency.log import append


def acknowledge(
    connection: sqlite3.Connection,
    trust: Trust,
    environment: Environment,
    raw: str,
    enterprise: Uscc,
    kind: str,
    authorization: str | None,
    state: str | None,
    now: int,
) -> str:
    """The acknowledgement of a verified document, inside the transaction that carries it out. A document that was
    acknowledged before gets the same one again."""
    document = signed_digest(raw)
    known = connection.execute("SELECT token FROM acknowledgement WHERE document = ?", (document,)).fetchone()
    if known is not None:
        return str(known[0])
    (sequence,) = connection.execute(
        "SELECT coalesce(max(sequence), 0) + 1 FROM acknowledgement WHERE enterprise = ?", (enterprise,)
    ).fetchone()
    token = Acknowledgement(trust.enclave_id, enterprise, kind, document, authorization, state, sequence, now).sign(
        trust.receipt_key
    )
    connection.execute("INSERT INTO acknowledgement VALUES (?, ?, ?, ?)", (document, enterprise, sequence, token))
    append(connection, document, token, environment.random_bytes(SALT_BYTES))
    return token
