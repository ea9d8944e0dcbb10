"""What an enterprise may read of itself, once its signature, or that of a delegate who may view, was verified."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from xinyidai.delegation import Power
from xinyidai.disputes import OBJECTIONS_REQUEST_TYPE, ObjectionsRequest, parse_objections_request
from xinyidai.lineage import LINEAGE_REQUEST_TYPE, LineageRequest, parse_lineage_request
from xinyidai.own_records import OWN_RECORDS_REQUEST_TYPE, OwnRecordsRequest, parse_own_records_request
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, read_unverified
from xinyidai.statements import ACCESS_TYPE, parse_access

from enclave.authority.grants import parsed, state_at
from enclave.authority.signers import signer_of, still_signs
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.transparency.status import Place, place_of

RENEWAL_SECONDS: Final = 30 * DAY_SECONDS
"""Before its end an authorization is listed as one to renew."""
RECONFIRM_SECONDS: Final = 90 * DAY_SECONDS
"""After this one for monitoring is listed as one to reconfirm."""
_MONITORING: Final = "post_loan_monitoring"


def verify_access(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> str:
    """The enterprise that asks to read its own usage; the token is spent."""
    return _spent(connection, trust, raw, ACCESS_TYPE, parse_access, now).enterprise


def verify_lineage_request(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> LineageRequest:
    """What an enterprise asks about one of its own features; the request is spent."""
    return _spent(connection, trust, raw, LINEAGE_REQUEST_TYPE, parse_lineage_request, now)


def verify_own_records_request(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> OwnRecordsRequest:
    """What an enterprise asks about the records it is in; the request is spent."""
    return _spent(connection, trust, raw, OWN_RECORDS_REQUEST_TYPE, parse_own_records_request, now)


def verify_objections_request(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> ObjectionsRequest:
    """Who asks what became of its objections; the request is spent."""
    return _spent(connection, trust, raw, OBJECTIONS_REQUEST_TYPE, parse_objections_request, now)


class _Question(Protocol):
    @property
    def stamp(self) -> Stamp: ...


Q = TypeVar("Q", bound=_Question)


def _spent(
    connection: sqlite3.Connection, trust: Trust, raw: str, typ: str, parse: Callable[[Claims], Q], now: int
) -> Q:
    """A question of type `typ`, signed by the enterprise it names or a delegate who may look; spent by being asked."""
    signer = signer_of(connection, read_unverified(raw).text("sub"), raw, typ, now)
    signer.require(Power.VIEW)
    question = parse(signer.key.verify(raw, typ))
    trust.check_stamp(question.stamp, now)
    with transaction(connection, f"spend {typ}"):
        still_signs(connection, signer, now)
        spend_nonce(connection, signer.key.thumbprint, question.stamp, now)
    return question


@dataclass(frozen=True, slots=True)
class GrantRow:
    token: str
    state: str
    assessments: int
    """Made so far."""
    signed_by: str
    """Masked name of the delegate who signed; empty: the enterprise itself."""
    renewal_due: bool
    reconfirm_due: bool
    place: Place | None
    """Where its state is published; None for one older than status lists."""


def grants_of(connection: sqlite3.Connection, enterprise: str, now: int) -> list[GrantRow]:
    """Every authorization of an enterprise, newest first, at most 500."""
    rows = connection.execute(
        "SELECT digest, token, state, expires_at, (SELECT count(*) FROM assessment WHERE authorization = digest)"
        " + (SELECT count(*) FROM disclosure WHERE basis = digest), signed_by,"
        " coalesce(reconfirmed_at, submitted_at)"
        " FROM authorization WHERE enterprise = ? ORDER BY submitted_at DESC, digest LIMIT 500",
        (enterprise,),
    ).fetchall()
    found = []
    for digest, token, stored, expires_at, uses, signed_by, confirmed_at in rows:
        state = state_at(stored, expires_at, now)
        lives = state in ("active", "paused")
        watching = lives and parsed(token).purpose == _MONITORING
        found.append(
            GrantRow(
                token, state, uses, signed_by, lives and expires_at - now <= RENEWAL_SECONDS,
                watching and now - confirmed_at > RECONFIRM_SECONDS, place_of(connection, digest),
            )
        )  # fmt: skip
    return found
