"""Which of an enterprise's statements stands when the platform delivers them in another order."""

import sqlite3

from xinyidai.reasons import Reason
from xinyidai.statements import Action, Statement

from enclave.errors import Refused


def note_order(connection: sqlite3.Connection, statement: Statement) -> None:
    """The platform chooses when a statement arrives; what the enterprise said last stands. A revocation always stands,
    and so does the end of a delegation.

    Raises `Refused`.
    """
    about, issued_at, final = (
        statement.authorization or f"budget {statement.bank or ''}",
        statement.stamp.issued_at,
        False,
    )
    if statement.delegation is not None:
        about = f"delegate {statement.delegation.key.thumbprint}"
    elif statement.delegate is not None:
        # Of two said in one second, the end is the later one, in whichever order they arrive.
        about, issued_at, final = f"delegate {statement.delegate}", issued_at + 1, True
    elif statement.action is Action.RECONFIRM:
        about = f"reconfirm {about}"
    newer = connection.execute(
        "INSERT INTO statement_time VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET issued_at = excluded.issued_at"
        " WHERE excluded.issued_at >= issued_at",
        (statement.enterprise, about, issued_at),
    )
    if newer.rowcount != 1 and not final and statement.action is not Action.REVOKE:
        raise Refused(
            Reason.STATEMENT_SUPERSEDED, "a statement signed later is in force; sign this one anew to change it"
        )
