"""Banks' requests for authorizations: kept until the enterprise accepts or rejects them, or their time is over."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from xinyidai.authorization import Authorization
from xinyidai.catalogue import Catalogue, UnknownCategory
from xinyidai.events import EventKind
from xinyidai.identity import verify_with_chain
from xinyidai.lifecycle import GrantPhase, Step, StepRefused, follow
from xinyidai.proposals import PROPOSAL_TYPE, check_within_proposal, parse_proposal, proposal_digest
from xinyidai.purposes import DAY_SECONDS, check_purpose
from xinyidai.reasons import Reason
from xinyidai.signing import read_unverified

from enclave.authority.events import Happened, emit
from enclave.authority.signers import Signer
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.errors import Refused

MAX_OPEN_OF_PAIR: Final = 3
"""Open requests of one bank to one enterprise; more would be pressing it."""
MAX_OPEN_OF_ENTERPRISE: Final = 100
MAX_OPEN_OF_BANK: Final = 100_000
MAX_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class _Kept:
    digest: str
    token: str
    bank: str
    certificate: str
    enterprise: str
    phase: GrantPhase


def submit_proposal(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> str:
    """Keep what a bank proposes; returns its digest. Raises `Refused` or `DocumentError`.

    The enterprise need not be known here: a bank must not learn who has registered a key.
    """
    signed = verify_with_chain(raw, PROPOSAL_TYPE, trust.banks)
    proposal = parse_proposal(signed.claims)
    trust.check_stamp(proposal.stamp, now)
    if proposal.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    catalogue = trust.catalogue
    if (proposal.catalogue, proposal.catalogue_digest) != (catalogue.reference, catalogue.digest):
        raise Refused(Reason.CATALOGUE_UNKNOWN, f"ask on the catalogue in force, {catalogue.reference}")
    check_categories(catalogue, proposal.categories)
    check_purpose(
        proposal.purpose,
        proposal.purpose_version,
        not_before=now,
        expires_at=now + proposal.valid_days * DAY_SECONDS,
        max_assessments=proposal.max_assessments,
        # The authorization itself may not outlive the loan; a request only has to name its end.
        term_end=proposal.term_end and max(proposal.term_end, now + proposal.valid_days * DAY_SECONDS),
    )
    bank, digest = signed.identity.name, proposal_digest(raw)
    with transaction(connection, "request authorization"):
        spend_nonce(connection, signed.thumbprint, proposal.stamp, now)
        _check_limits(connection, bank, proposal.enterprise, now)
        connection.execute(
            "INSERT INTO proposal VALUES (?, ?, ?, ?, ?, 'pending', ?, ?) ON CONFLICT DO NOTHING",
            (digest, raw, bank, signed.thumbprint, proposal.enterprise, proposal.respond_by, now),
        )
    return digest


def check_categories(catalogue: Catalogue, codes: tuple[str, ...]) -> None:
    """Known, with features, in the order of the catalogue. Raises `Refused`."""
    order = {category.code: category for category in catalogue.categories}
    try:
        chosen = [catalogue.category(code) for code in codes]
    except UnknownCategory as error:
        raise Refused(Reason.CATEGORY_UNKNOWN, "the document names a category the catalogue lacks") from error
    if any(not category.features for category in chosen):
        raise Refused(Reason.CATEGORY_UNKNOWN, "a category without features cannot be granted")
    if [c.code for c in chosen] != [code for code in order if code in codes]:
        raise Refused(Reason.DOCUMENT_MALFORMED, "categories must stand in the order of the catalogue")


def _check_limits(connection: sqlite3.Connection, bank: str, enterprise: str, now: int) -> None:
    for condition, values, most in (
        ("bank = ? AND enterprise = ?", (bank, enterprise), MAX_OPEN_OF_PAIR),
        ("bank = ?", (bank,), MAX_OPEN_OF_BANK),
        ("enterprise = ?", (enterprise,), MAX_OPEN_OF_ENTERPRISE),
    ):
        (count,) = connection.execute(
            f"SELECT count(*) FROM proposal WHERE state = 'pending' AND respond_by > ? AND {condition}",  # noqa: S608
            (now, *values),
        ).fetchone()
        if count >= most:
            raise Refused(Reason.PROPOSAL_LIMIT, "too many open requests; wait until some are answered or have lapsed")


def accept(connection: sqlite3.Connection, authorization: Authorization, now: int) -> None:
    """Answer a request by an authorization that goes no further. Inside the transaction that keeps the authorization.

    Raises `Refused` or `WiderThanAllowed`."""
    kept = _kept(connection, authorization.enterprise, authorization.request or "", now)
    proposal = parse_proposal(read_unverified(kept.token))
    check_within_proposal(authorization, proposal, kept.bank, kept.certificate)
    _move(connection, kept, Step.ACCEPT)


def reject(connection: sqlite3.Connection, trust: Trust, signer: Signer, digest: str, now: int) -> None:
    """Decline a request, and tell the bank. Inside the statement's transaction. Declining twice changes nothing."""
    kept = _kept(connection, signer.enterprise, digest, now)
    if _move(connection, kept, Step.REJECT):
        happened = Happened(EventKind.REJECTED, kept.bank, kept.enterprise, now, signer.initiator, request=kept.digest)
        emit(connection, trust, happened)


def open_proposals(connection: sqlite3.Connection, enterprise: str, now: int) -> list[str]:
    """What banks ask an enterprise for, newest first."""
    rows = connection.execute(
        "SELECT token FROM proposal WHERE enterprise = ? AND state = 'pending' AND respond_by > ?"
        " ORDER BY received_at DESC, digest LIMIT ?",
        (enterprise, now, MAX_LISTED),
    )
    return [token for (token,) in rows]


def _kept(connection: sqlite3.Connection, enterprise: str, digest: str, now: int) -> _Kept:
    """Raises `Refused`, with one answer for another's request and for none at all."""
    row = connection.execute(
        "SELECT token, bank, certificate, state, respond_by FROM proposal WHERE digest = ? AND enterprise = ?",
        (digest, enterprise),
    ).fetchone()
    if row is None:
        raise Refused(Reason.PROPOSAL_UNKNOWN, "no bank made this enterprise such a request")
    token, bank, certificate, state, respond_by = row
    phase = GrantPhase(state)
    if phase is GrantPhase.PENDING and now >= respond_by:
        phase = follow(phase, Step.LAPSE)
    return _Kept(digest, token, bank, certificate, enterprise, phase)


def _move(connection: sqlite3.Connection, kept: _Kept, step: Step) -> bool:
    """Whether the step changed the state. Raises `Refused`."""
    try:
        after = follow(kept.phase, step)
    except StepRefused as error:
        raise Refused(Reason.PROPOSAL_STATE, f"this request is {error.state} already; the bank can ask anew") from error
    if after is kept.phase:
        return False
    connection.execute("UPDATE proposal SET state = ? WHERE digest = ?", (str(after), kept.digest))
    return True
