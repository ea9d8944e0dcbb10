"""Authorizations and statements of enterprises: every step of `xinyidai.lifecycle`, each in one transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from xinyidai.acknowledgement import AUTHORIZE
from xinyidai.authorization import (
    AUTHORIZATION_TYPE,
    Authorization,
    authorization_digest,
    read_unverified_authorization,
    verify_authorization,
)
from xinyidai.confidential import OpeningKey
from xinyidai.delegation import Power
from xinyidai.events import EventKind, Initiator
from xinyidai.identity import verify_with_chain
from xinyidai.lifecycle import GrantPhase, Step, StepRefused, follow
from xinyidai.notice import notice_hash
from xinyidai.proposals import check_narrower
from xinyidai.purposes import check_purpose
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import VerifyingKey, read_unverified
from xinyidai.statements import (
    KEY_REGISTRATION_TYPE,
    STATEMENT_TYPE,
    Action,
    Statement,
    parse_key_registration,
    parse_statement,
)

from enclave.authority.disputes import carry_out
from enclave.authority.events import Happened, emit
from enclave.authority.order import note_order
from enclave.authority.proposals import accept, check_categories, reject
from enclave.authority.signers import Signer, delegate, end_delegation, note_act, signer_of, still_signs
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, pin_key, spend_nonce
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.transparency.acknowledgements import acknowledge
from enclave.transparency.status import Place, assign

EXPIRED: Final = "expired"
MAX_BUDGETS: Final = 1_000
MAX_UNSEEN: Final = 1_000
_POWERS: Final = {
    Action.REVOKE: (Power.CONTROL,),
    Action.PAUSE: (Power.CONTROL,),
    # What was stopped is not set going again by who may only stop it.
    Action.RESUME: (Power.GRANT,),
    Action.RECONFIRM: (Power.GRANT,),
    Action.REJECT_REQUEST: (Power.GRANT, Power.CONTROL),
    Action.SET_BUDGET: (Power.BUDGET,),
    Action.DISPUTE: (Power.DISPUTE,),
    Action.WITHDRAW_DISPUTE: (Power.DISPUTE,),
    Action.DELEGATE: (),
    Action.END_DELEGATION: (),
}
"""Any of these is enough; none: only the enterprise itself."""
_STEPS: Final = {Action.REVOKE: Step.REVOKE, Action.PAUSE: Step.PAUSE, Action.RESUME: Step.RESUME}
_KINDS: Final = {
    Step.REVOKE: EventKind.REVOKED,
    Step.PAUSE: EventKind.PAUSED,
    Step.RESUME: EventKind.RESUMED,
}
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


@lru_cache(maxsize=65_536)
def parsed(token: str) -> Authorization:
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


def reset_key(connection: sqlite3.Connection, trust: Trust, enterprise: str, now: int) -> int:
    """For the data holder, once the registrar has vouched again for an enterprise that lost its key: unpin the key,
    end every delegation and revoke everything that was signed. Returns how many authorizations were revoked; the ledger
    stays as it is."""
    with transaction(connection, "reset enterprise key"):
        connection.execute("DELETE FROM enterprise_key WHERE enterprise = ?", (enterprise,))
        connection.execute(
            "UPDATE delegation SET ended_at = ? WHERE enterprise = ? AND ended_at IS NULL", (now, enterprise)
        )
        revoked = connection.execute(
            "UPDATE authorization SET state = 'revoked' WHERE enterprise = ? AND state <> 'revoked'"
            " RETURNING digest, bank",
            (enterprise,),
        ).fetchall()
        for digest, bank in revoked:
            happened = Happened(EventKind.REVOKED, bank, enterprise, now, Initiator.DATA_HOLDER, authorization=digest)
            emit(connection, trust, happened)
        connection.execute("UPDATE white_list_opt_in SET state = 'out' WHERE enterprise = ?", (enterprise,))
        connection.execute("DELETE FROM white_list_demand WHERE enterprise = ?", (enterprise,))
    return len(revoked)


def submit_authorization(
    connection: sqlite3.Connection, trust: Trust, environment: Environment, raw: str, now: int
) -> CarriedOut:
    """Check an authorization against everything it may not exceed, and keep it; the one it narrows ends in the same
    transaction. Submitting it again is harmless."""
    untrusted = read_unverified_authorization(raw)
    signer = signer_of(connection, untrusted.enterprise, raw, AUTHORIZATION_TYPE, now)
    signer.require(Power.GRANT)
    authorization = verify_authorization(raw, signer.key)
    _check_grant(trust, authorization, now)
    digest = authorization_digest(raw)
    with transaction(connection, "submit authorization"):
        still_signs(connection, signer, now)
        row = connection.execute("SELECT state FROM authorization WHERE digest = ?", (digest,)).fetchone()
        state = row[0] if row else _begin(connection, trust, signer, authorization, digest, raw, now)
        grant = GrantState(digest, state_at(state, authorization.expires_at, now))
        place = assign(connection, environment, digest, now)
        acknowledgement = acknowledge(
            connection, trust, environment, raw, authorization.enterprise, AUTHORIZE, digest, grant.state, now
        )
    return CarriedOut(grant, acknowledgement, place)


def _begin(
    connection: sqlite3.Connection,
    trust: Trust,
    signer: Signer,
    authorization: Authorization,
    digest: str,
    raw: str,
    now: int,
) -> str:
    """Keep a new authorization, end what it replaces, answer what it accepts, and tell the bank. Returns its state."""
    enterprise, bank, parent = authorization.enterprise, authorization.bank, authorization.parent
    if authorization.request is not None:
        accept(connection, authorization, now)
    state = "active" if parent is None else _replace(connection, authorization, digest, now)
    # An enterprise may revoke what the platform has held back; it then arrives revoked.
    unseen = connection.execute(
        "SELECT 1 FROM revoked_unseen WHERE enterprise = ? AND digest = ?", (enterprise, digest)
    ).fetchone()
    added = connection.execute(
        "INSERT INTO authorization (digest, token, enterprise, authorization_id, bank, state, expires_at, submitted_at,"
        " parent, signed_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            digest, raw, enterprise, authorization.authorization_id, bank, "revoked" if unseen else state,
            authorization.expires_at, now, parent, signer.name,
        ),
    )  # fmt: skip
    if added.rowcount != 1:
        raise Refused(Reason.AUTHORIZATION_EXISTS, "this jti was used for another authorization; choose a new one")
    note_act(connection, signer, "authorize", digest, now)
    told = Happened(
        EventKind.NARROWED if parent else EventKind.AUTHORIZED, bank, enterprise, now, signer.initiator,
        authorization=digest, request=authorization.request, parent=parent,
    )  # fmt: skip
    emit(connection, trust, told)
    if unseen:
        revoked = Happened(EventKind.REVOKED, bank, enterprise, now, Initiator.ENTERPRISE, authorization=digest)
        emit(connection, trust, revoked)
    return "revoked" if unseen else state


def _replace(connection: sqlite3.Connection, child: Authorization, digest: str, now: int) -> str:
    """End the authorization that `child` narrows; returns the state the child begins in: a pause goes on."""
    row = connection.execute(
        "SELECT token, state, (SELECT count(*) FROM assessment WHERE authorization = digest)"
        " + (SELECT count(*) FROM disclosure WHERE basis = digest) FROM authorization"
        " WHERE digest = ? AND enterprise = ?",
        (child.parent, child.enterprise),
    ).fetchone()
    if row is None:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no authorization like the one to be replaced")
    token, stored, made = row
    parent = parsed(token)
    before = GrantPhase(state_at(stored, parent.expires_at, now))
    try:
        after = follow(before, Step.REPLACE)
    except StepRefused as error:
        raise Refused(*_STATE_REASONS[str(error.state)]) from error
    check_narrower(child, parent, parent.max_assessments - made)
    connection.execute(
        "UPDATE authorization SET state = ?, replaced_by = ? WHERE digest = ?", (str(after), digest, child.parent)
    )
    return str(before)


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
    check_categories(catalogue, authorization.categories)
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
    """Carry out a statement signed by an enterprise or its delegate. When this returns, it holds for every later
    charge, and the enclave has signed that it does. `key` opens the names of records."""
    signer = signer_of(connection, read_unverified(raw).text("sub"), raw, STATEMENT_TYPE, now)
    statement = parse_statement(signer.key.verify(raw, STATEMENT_TYPE))
    signer.require(*_POWERS[statement.action])
    trust.check_stamp(statement.stamp, now)
    with transaction(connection, f"statement: {statement.action}"):
        still_signs(connection, signer, now)
        spend_nonce(connection, signer.key.thumbprint, statement.stamp, now)
        about = statement.authorization or statement.request or statement.bank or ""
        note_act(connection, signer, str(statement.action), about, now)
        grant = None
        if statement.record is not None:
            carry_out(connection, trust, environment, key, statement, now)
        elif statement.action is Action.REJECT_REQUEST:
            reject(connection, trust, signer, statement.request or "", now)
        else:
            note_order(connection, statement)
            grant = _carry_out(connection, trust, signer, statement, now)
        done = acknowledge(
            connection, trust, environment, raw, statement.enterprise, statement.action, statement.authorization,
            grant.state if grant else None, now,
        )  # fmt: skip
    return CarriedOut(grant, done)


def _carry_out(
    connection: sqlite3.Connection, trust: Trust, signer: Signer, statement: Statement, now: int
) -> GrantState | None:
    """The new state of the authorization that the statement names, or of what it was narrowed to; None without one."""
    if statement.action is Action.SET_BUDGET:
        _set_budget(connection, statement)
    elif statement.delegation is not None:
        delegate(connection, statement, statement.delegation, now)
    elif statement.delegate is not None:
        end_delegation(connection, statement.enterprise, statement.delegate, now)
    elif statement.action is Action.RECONFIRM:
        return _reconfirm(connection, statement, now)
    else:
        return _change_state(connection, trust, signer, statement, now)
    return None


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


def _change_state(
    connection: sqlite3.Connection, trust: Trust, signer: Signer, statement: Statement, now: int
) -> GrantState:
    digest, step = statement.authorization or "", _STEPS[statement.action]
    if step is not Step.RESUME:
        digest = _in_force(connection, statement.enterprise, digest)
    row = connection.execute(
        "SELECT state, expires_at, bank FROM authorization WHERE digest = ? AND enterprise = ?",
        (digest, statement.enterprise),
    ).fetchone()
    if row is None:
        if step is not Step.REVOKE:
            raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no such authorization")
        _revoke_unseen(connection, statement.enterprise, digest)
        return GrantState(digest, "revoked")
    stored, expires_at, bank = row
    before = GrantPhase(state_at(stored, expires_at, now))
    try:
        after = follow(before, step)
    except StepRefused as error:
        raise Refused(*_STATE_REASONS[str(error.state)]) from error
    if after is not before:
        connection.execute("UPDATE authorization SET state = ? WHERE digest = ?", (str(after), digest))
        kind, enterprise = _KINDS[step], statement.enterprise
        emit(connection, trust, Happened(kind, bank, enterprise, now, signer.initiator, authorization=digest))
    return GrantState(digest, str(after))


def _in_force(connection: sqlite3.Connection, enterprise: str, digest: str) -> str:
    """What took the place of an authorization, step by step: stopping one stops what it was narrowed to, whether or not
    who stops it has seen that."""
    while True:
        row = connection.execute(
            "SELECT replaced_by FROM authorization WHERE digest = ? AND enterprise = ?", (digest, enterprise)
        ).fetchone()
        if row is None or row[0] is None:
            return digest
        digest = row[0]


def _reconfirm(connection: sqlite3.Connection, statement: Statement, now: int) -> GrantState:
    row = connection.execute(
        "UPDATE authorization SET reconfirmed_at = ? WHERE digest = ? AND enterprise = ?"
        " RETURNING digest, state, expires_at",
        (now, statement.authorization, statement.enterprise),
    ).fetchone()
    if row is None:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no such authorization")
    return GrantState(row[0], state_at(row[1], row[2], now))


def _revoke_unseen(connection: sqlite3.Connection, enterprise: str, digest: str) -> None:
    (known,) = connection.execute("SELECT count(*) FROM revoked_unseen WHERE enterprise = ?", (enterprise,)).fetchone()
    if known >= MAX_UNSEEN:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "this enterprise has no such authorization")
    connection.execute("INSERT INTO revoked_unseen VALUES (?, ?) ON CONFLICT DO NOTHING", (enterprise, digest))


def known_grant(connection: sqlite3.Connection, digest: str) -> tuple[Authorization, str]:
    """An authorization and its stored state, whatever that is. Raises `Refused` for an unknown digest."""
    row = connection.execute("SELECT token, state FROM authorization WHERE digest = ?", (digest,)).fetchone()
    if row is None:
        raise Refused(Reason.AUTHORIZATION_UNKNOWN, "no such authorization here; the enterprise must submit it first")
    return parsed(row[0]), row[1]


def check_usable(authorization: Authorization, stored: str, now: int) -> None:
    """Raises `Refused` unless it may be used at this moment. Call inside the transaction that uses it."""
    state = state_at(stored, authorization.expires_at, now)
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


def state_at(stored: str, expires_at: int, now: int) -> str:
    """Revoked stays revoked; anything else ends when its time does."""
    return stored if stored == "revoked" or now < expires_at else EXPIRED
