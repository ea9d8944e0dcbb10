"""Status lists: each authorization has a random place in one, and the places nobody has hold decoys.

A decoy turns INVALID at a random moment within ten years of its list, so a reader of successive lists cannot tell how
many authorizations were revoked. Not hidden: that something is paused, for decoys never are.
"""

import hashlib
import sqlite3
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.status_list import ENTRIES, Status, StatusListToken, pack, status_uri

from enclave.authority.store import transaction
from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.errors import Refused

TTL_SECONDS: Final = 60
_LIFETIME_SECONDS: Final = 900
_OPEN_SECONDS: Final = 365 * DAY_SECONDS
_DECOY_SECONDS: Final = 3650 * DAY_SECONDS
_MOST_USED: Final = ENTRIES // 2
"""Of one list: a free place is found by trying a few at random."""
_TRIES: Final = 256
_LABEL: Final = "decoys of status list"
_STATUSES: Final = {"active": Status.VALID, "paused": Status.SUSPENDED, "revoked": Status.INVALID}


@dataclass(frozen=True, slots=True)
class Place:
    number: int
    """Of the list."""
    index: int


def place_of(connection: sqlite3.Connection, authorization: str) -> Place | None:
    row = connection.execute(
        "SELECT number, position FROM status_entry WHERE authorization = ?", (authorization,)
    ).fetchone()
    return Place(*row) if row else None


def assign(connection: sqlite3.Connection, environment: Environment, authorization: str, now: int) -> Place:
    """A place for an authorization, inside the transaction that stores it. The same again for one that has a place."""
    known = place_of(connection, authorization)
    if known is not None:
        return known
    number = _open_list(connection, environment, now)
    ended = _ended_decoys(connection, environment, number, now)
    for _ in range(_TRIES):
        index = int.from_bytes(environment.random_bytes(4), "big") % ENTRIES
        # A place whose decoy has ended would be seen to come alive.
        if ended[index]:
            continue
        taken = connection.execute(
            "INSERT INTO status_entry VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (number, index, authorization)
        )
        if taken.rowcount == 1:
            return Place(number, index)
    raise RuntimeError("no free place in the status list; the random generator repeats itself")


def publish(connection: sqlite3.Connection, trust: Trust, environment: Environment, number: int, now: int) -> str:
    """The signed list as of now. Raises `Refused` for a list there is not."""
    with transaction(connection, "publish status list"):
        statuses = _ended_decoys(connection, environment, number, now).astype(int) * int(Status.INVALID)
        rows = connection.execute(
            "SELECT position, state FROM status_entry JOIN authorization ON digest = authorization WHERE number = ?",
            (number,),
        )
        for index, state in rows:
            statuses[index] = _STATUSES[state]
    uri = status_uri(trust.enclave_id, number)
    token = StatusListToken(trust.enclave_id, uri, now, now + _LIFETIME_SECONDS, TTL_SECONDS, pack(statuses.tolist()))
    return token.sign(trust.receipt_key)


def _open_list(connection: sqlite3.Connection, environment: Environment, now: int) -> int:
    """The list that takes new authorizations: the last one, while it is neither half full nor a year old."""
    row = connection.execute("SELECT number, made_at FROM status_list ORDER BY number DESC LIMIT 1").fetchone()
    if row is not None:
        (used,) = connection.execute("SELECT count(*) FROM status_entry WHERE number = ?", (row[0],)).fetchone()
        if used < _MOST_USED and now - row[1] < _OPEN_SECONDS:
            return int(row[0])
    number = row[0] + 1 if row else 1
    sealed = environment.seal(f"{_LABEL} {number}", environment.random_bytes(32))
    connection.execute("INSERT INTO status_list VALUES (?, ?, ?)", (number, now, sealed))
    return int(number)


def _ended_decoys(connection: sqlite3.Connection, environment: Environment, number: int, now: int) -> NDArray[np.bool_]:
    """For every place, whether its decoy has turned INVALID. Raises `Refused` for a list there is not."""
    row = connection.execute("SELECT made_at, sealed FROM status_list WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise Refused(Reason.ENTRY_UNKNOWN, "there is no such status list")
    secret = environment.unseal(f"{_LABEL} {number}", row[1])
    try:
        stream = hashlib.shake_256(secret.reveal()).digest(4 * ENTRIES)
    finally:
        secret.wipe()
    ends = np.frombuffer(stream, ">u4").astype(np.int64) * _DECOY_SECONDS >> 32
    ended: NDArray[np.bool_] = ends <= now - row[0]
    return ended
