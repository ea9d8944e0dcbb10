"""Authorizations and statements of enterprises, and their reading of their own usage."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from xinyidai.acknowledgement import AUTHORIZE
from xinyidai.authorization import (
    Authorization,
    authorization_digest,
    read_unverified_authorization,
    verify_authorization,
)
from xinyidai.catalogue import UnknownCategory
from xinyidai.confidential import OpeningKey
from xinyidai.identity import verify_with_chain
from xinyidai.lineage import LINEAGE_REQUEST_TYPE, LineageRequest, parse_lineage_request
from xinyidai.notice import notice_hash
from xinyidai.purposes import check_purpose
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import VerifyingKey, read_unverified
from xinyidai.statements import (
    ACCESS_TYPE,
    KEY_REGISTRATION_TYPE,
    STATEMENT_TYPE,
    Action,
    Statement,
    parse_access,
    parse_key_registration,
    parse_statement,
)

from enclave.authority.disputes import carry_out
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, pin_key, pinned_key, spend_nonce
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.transparency.acknowledgements import acknowledge
from enclave.transparency.status import Place, assign, place_of

EXPIRED: Final = "expired"
MAX_BUDGETS: Final = 1_000
MAX_UNSEEN: Final = 1_000
_STATE_REASONS: Final = {
    "revoked": (Reason.AUTHORIZATION_REVOKED, "the enterprise revoked this authorization; ask for a new one"),
    "paused": (Reason.AUTHORIZATION_PAUSED, "the enterprise paused this authorization; ask it to resume"),
    EXPIRED: (Reason.AUTHORIZATION_EXPIRED, "this authorization has expired; ask for a new one"),
}


@dataclass(frozen=True, slots=True)
class GrantState:
    digest: str
    state: str
    """active, paused, revoked or expired."""


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What an enterprise signed is in force, and the enclave's word for it."""

    grant: GrantState | None
    """The authorization it was about, if any."""
    acknowledgement: str
    place: Place | None = None
    """Of a submitted authorization: where its state is published."""


@dataclass(frozen=True, slots=True)
class Granted:
    """An authorization as its enterprise sees it listed."""

    token: str
    state: str
    uses: int
    place: Place | None


@lru_cache(maxsize=65_536)
def _parsed(token: str) -> Authorization:
    """Only ever called on tokens that were verified before they were stored."""
    return read_unverified_authorization(token)


def register_key(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> tuple[str, str]:
    """Pin an enterprise's key on the registrar's word and the key's own signature. Returns (USCC, thumbprint)."""
    signed = verify_with_chain(raw, KEY_REGISTRATION_TYPE, trust.registrar)
    registration = parse_key_registration(signed.claims)
    trust.check_stamp(registration.stamp, now)
    if registration.enterprise != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another enterprise")
    key = VerifyingKey.of_certificate(signed.certificate)
    with transaction(connection, "register enterprise key"):
        spend_nonce(connection, key.thumbprint, registration.stamp, now)
        pin_key(connection, registration.enterprise, key, now)
    return registration.enterprise, key.thumbprint


def reset_key(connection: sqlite3.Connection, enterprise: str) -> int:
    """For the data holder, once the registrar has vouched again for an enterprise that lost its key: unpin the key and
    revoke everything it signed. Returns how many authorizations were revoked; the ledger stays as it is."""
    with transaction(connection, "reset enterprise key"):
        connection.execute("DELETE FROM enterprise_key WHERE enterprise = ?", (enterprise,))
        revoked = connection.execute(
            "UPDATE authorization SET state = 'revoked' WHERE enterprise = ? AND state <> 'revoked'", (enterprise,)
        )
    return revoked.rowcount


def submit_authorization(
    connection: sqlite3.Connection, trust: Trust, environment: Environment, raw: str, now: int
) -> CarriedOut:
    """Check an authorization against everything it may not exceed, and keep it. Submitting it again is harmless."""
    untrusted = read_unverified_authorization(raw)
    authorization = verify_authorization(raw, pinned_key(connection, untrusted.enterprise))
    _check_grant(trust, authorization, now)
    digest = authorization_digest(raw)
    with transaction(connection, "submit authorization"):
        # An enterprise may revoke what the platform has held back; it then arrives revoked.
        unseen = connection.execute(
            "SELECT 1 FROM revoked_unseen WHERE enterprise = ? AND digest = ?", (authorization.enterprise, digest)
        ).fetchone()
        connection.execute(
            "INSERT INTO authorization VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                digest, raw, authorization.enterprise, authorization.authorization_id, authorization.bank,
                "revoked" if unseen else "active", authorization.expires_at, now,
            ),
        )  # fmt: skip
        row = connection.execute("SELECT state FROM authorization WHERE digest = ?", (digest,)).fetchone()
        if row is None:
            raise Refused(Reason.AUTHORIZATION_EXISTS, "this jti was used for another authorization; choose a new one")
        grant = GrantState(digest, _state(row[0], authorization.expires_at, now))
        place = assign(connection, environment, digest, now)
        acknowledgement = acknowledge(
            connection, trust, environment, raw, authorization.enterprise, AUTHORIZE, digest, grant.state, now
        )
    return CarriedOut(grant, acknowledgement, place)


def _check_grant(trust: Trust, authorization: Authorization, now: int) -> None:
    catalogue = trust.catalogue
    if trust.enclave_id not in authorization.enclaves:
        raise Refused(Reason.AUDIENCE_MISMATCH, "the authorization is for another enclave; name this one in aud")
    if authorization.issued_at > now + MAX_SKEW_SECONDS:
        raise Refused(Reason.DOCUMENT_EXPIRED, "the authorization is dated in the future; check your clock")
    if authorization.expires_at <= now:
        raise Refused(*_STATE_REASONS[EXPIRED])
    if (authorization.catalogue, authorization.catalogue_digest) != (catalogue.reference, catalogue.digest):
        raise Refused(Reason.CATALOGUE_UNKNOWN, f"grant against the catalogue in force, {catalogue.reference}")
    order = {category.code: category for category in catalogue.categories}
    try:
        chosen = [catalogue.category(code) for code in authorization.categories]
    except UnknownCategory as error:
        raise Refused(Reason.CATEGORY_UNKNOWN, "the authorization names a category the catalogue lacks") from error
    if any(not category.features for category in chosen):
        raise Refused(Reason.CATEGORY_UNKNOWN, "a category without features cannot be granted")
    if [c.code for c in chosen] != [code for code in order if code in authorization.categories]:
        raise Refused(Reason.DOCUMENT_MALFORMED, "categories must stand in the order of the catalogue")
    check_purpose(
        authorization.purpose,
        authorization.purpose_version,
        not_before=authorization.not_before,
        expires_at=authorization.expires_at,
        max_assessments=authorization.max_assessments,
        term_end=authorization.term_end,
    )
    if authorization.notice_hash != notice_hash(authorization, catalogue):
        raise Refused(Reason.NOTICE_MISMATCH, "the notice that was shown is not the notice of these terms")


def submit_statement(
    connection: sqlite3.Connection, trust: Trust, environment: Environment, key: OpeningKey, raw: str, now: int
) -> CarriedOut:
    """Carry out an enterprise's signed statement. When this returns, it holds for every later charge; a dispute holds
    from the next snapshot on. `key` opens the names of records."""
    enterprise = read_unverified(raw).text("sub")
    signer = pinned_key(connection, enterprise)
    statement = parse_statement(signer.verify(raw, STATEMENT_TYPE))
    trust.check_stamp(statement.stamp, now)
    with transaction(connection, f"statement: {statement.action}"):
        spend_nonce(connection, signer.thumbprint, statement.stamp, now)
        grant = None
        if statement.record is not None:
            carry_out(connection, trust, environment, key, statement, now)
        else:
            grant = _change(connection, statement, now)
        state = grant.state if grant else None
        done = acknowledge(
            connection, trust, environment, raw, statement.enterprise, statement.action, statement.authorization,
            state, now,
        )  # fmt: skip
    return CarriedOut(grant, done)


def _change(connection: sqlite3.Connection, statement: Statement, now: int) -> GrantState | None:
    """The authorization's new state, or None for a budget."""
    _note_order(connection, statement)
    if statement.action is Action.SET_BUDGET:
        _set_budget(connection, statement)
        return None
    return _change_state(connection, statement, now)


def _note_order(connection: sqlite3.Connection, statement: Statement) -> None:
    """The platform chooses when a statement arrives; what the enterprise said last stands. A revocation always stands.

    Raises `Refused`.
    """
    about = statement.authorization or f"budget {statement.bank or ''}"
    newer = connection.execute(
        "INSERT INTO statement_time VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET issued_at = excluded.issued_at"
        " WHERE excluded.issued_at >= issued_at",
        (statement.enterprise, about, statement.stamp.issued_at),
    )
    if newer.rowcount != 1 and statement.action is not Action.REVOKE:
        raise Refused(
            Reason.STATEMENT_SUPERSEDED, "a statement signed later is in force; sign this one anew to change it"
        )


def _set_budget(connection: sqlite3.Connection, statement: Statement) -> None:
    (known,) = connection.execute(
        "SELECT count(*) FROM budget WHERE enterprise = ? AND bank <> ?", (statement.enterprise, statement.bank or "")
    ).fetchone()
    if known >= MAX_BUDGETS:
        raise Refused(Reason.REQUEST_INVALID, f"an enterprise sets budgets for at most {MAX_BUDGETS} banks")
    connection.execute(
        "INSERT INTO budget VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET centibits = excluded.centibits",
        (statement.enterprise, statement.bank or "", statement.centibits),
    )


def _change_state(connection: sqlite3.Connection, statement: Statement, now: int) -> GrantState:
    digest = statement.authorization or ""
    row = connection.execute(
        "SELECT state, expires_at FROM authorization WHERE digest = ? AND enterprise = ?",
        (digest, statement.enterprise),
    ).fetchone()
    if row is None:
        if statement.action is not Action.REVOKE:
            raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no such authorization")
        _revoke_unseen(connection, statement.enterprise, digest)
        return GrantState(digest, "revoked")
    state, expires_at = row
    wanted = {Action.REVOKE: "revoked", Action.PAUSE: "paused", Action.RESUME: "active"}[statement.action]
    if state == "revoked" and wanted != "revoked":
        raise Refused(*_STATE_REASONS["revoked"])
    connection.execute("UPDATE authorization SET state = ? WHERE digest = ?", (wanted, digest))
    return GrantState(digest, _state(wanted, expires_at, now))


def _revoke_unseen(connection: sqlite3.Connection, enterprise: str, digest: str) -> None:
    (known,) = connection.execute("SELECT count(*) FROM revoked_unseen WHERE enterprise = ?", (enterprise,)).fetchone()
    if known >= MAX_UNSEEN:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no such authorization")
    connection.execute("INSERT INTO revoked_unseen VALUES (?, ?) ON CONFLICT DO NOTHING", (enterprise, digest))


def verify_access(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> str:
    """The enterprise that asks to read its own usage; the token is spent."""
    key = pinned_key(connection, read_unverified(raw).text("sub"))
    access = parse_access(key.verify(raw, ACCESS_TYPE))
    trust.check_stamp(access.stamp, now)
    with transaction(connection, "spend access token"):
        spend_nonce(connection, key.thumbprint, access.stamp, now)
    return access.enterprise


def verify_lineage_request(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> LineageRequest:
    """What an enterprise asks about one of its own features; the request is spent."""
    key = pinned_key(connection, read_unverified(raw).text("sub"))
    request = parse_lineage_request(key.verify(raw, LINEAGE_REQUEST_TYPE))
    trust.check_stamp(request.stamp, now)
    with transaction(connection, "spend lineage request"):
        spend_nonce(connection, key.thumbprint, request.stamp, now)
    return request


def known_grant(connection: sqlite3.Connection, digest: str) -> tuple[Authorization, str]:
    """An authorization and its stored state, whatever that is. Raises `Refused` for an unknown digest."""
    row = connection.execute("SELECT token, state FROM authorization WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "no such authorization here; the enterprise must submit it first")
    return _parsed(row[0]), row[1]


def check_usable(authorization: Authorization, stored: str, now: int) -> None:
    """Raises `Refused` unless it may be used at this moment. Call inside the transaction that uses it."""
    state = _state(stored, authorization.expires_at, now)
    if state in _STATE_REASONS:
        raise Refused(*_STATE_REASONS[state])
    if now < authorization.not_before:
        raise Refused(Reason.AUTHORIZATION_NOT_YET_VALID, "this authorization is not valid yet")


def withdrawn(connection: sqlite3.Connection, digests: Sequence[str]) -> dict[str, Refused]:
    """Those of these authorizations that are no longer active, with what to tell the bank."""
    found = {}
    for digest in set(digests):
        _, state = known_grant(connection, digest)
        if state in _STATE_REASONS:
            found[digest] = Refused(*_STATE_REASONS[state])
    return found


def grants_of(connection: sqlite3.Connection, enterprise: str, now: int) -> list[Granted]:
    """Every authorization of an enterprise, newest first, at most 500."""
    rows = connection.execute(
        "SELECT digest, token, state, expires_at, (SELECT count(*) FROM assessment WHERE authorization = digest)"
        " FROM authorization WHERE enterprise = ? ORDER BY submitted_at DESC, digest LIMIT 500",
        (enterprise,),
    ).fetchall()
    return [
        Granted(token, _state(state, expires_at, now), uses, place_of(connection, digest))
        for digest, token, state, expires_at, uses in rows
    ]


def _state(stored: str, expires_at: int, now: int) -> str:
    """Revoked stays revoked; anything else ends when its time does."""
    return stored if stored == "revoked" or now < expires_at else EXPIRED
