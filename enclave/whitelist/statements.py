"""Opt-in and opt-out, and banks' subscriptions. When a call returns, it holds for every list made from then on."""

import json
import sqlite3
from typing import Final

from xinyidai.catalogue import CatalogueError
from xinyidai.identity import verify_with_chain
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentMalformed, read_header, read_unverified, signed_digest
from xinyidai.whitelist.scorecard import PublicScorecard, public_scorecard
from xinyidai.whitelist.statements import (
    OPT_IN_TYPE,
    OPT_OUT_TYPE,
    SUBSCRIPTION_TYPE,
    Confirmation,
    OptIn,
    notice_hash,
    parse_opt_in,
    parse_opt_out,
    parse_subscription,
)

from enclave.authority.store import transaction
from enclave.authority.trust import Trust, pinned_key, spend_nonce
from enclave.errors import Refused

_ALL_BANKS: Final = ""


def scorecard_of(trust: Trust) -> PublicScorecard:
    """Raises `Refused` where the catalogue in force lacks what the public scorecard reads."""
    try:
        return public_scorecard(trust.catalogue)
    except CatalogueError as error:
        raise Refused(Reason.CATALOGUE_UNKNOWN, "the public scorecard does not fit this enclave's catalogue") from error


def submit_statement(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> str:
    """Carry out an enterprise's opt-in or opt-out; the enclave's signed confirmation. Raises `Refused`,
    `DocumentError`."""
    typ = read_header(raw).get("typ")
    if typ not in (OPT_IN_TYPE, OPT_OUT_TYPE):
        raise DocumentMalformed(f"expected a document of type {OPT_IN_TYPE} or {OPT_OUT_TYPE}")
    enterprise = read_unverified(raw).text("sub")
    signer = pinned_key(connection, enterprise)
    claims = signer.verify(raw, typ)
    stamp = (statement := parse_opt_in(claims) if typ == OPT_IN_TYPE else parse_opt_out(claims)).stamp
    trust.check_stamp(stamp, now)
    if isinstance(statement, OptIn):
        _check(trust, statement, now)
    with transaction(connection, f"white list: {typ}"):
        spend_nonce(connection, signer.thumbprint, stamp, now)
        if isinstance(statement, OptIn):
            _opt_in(connection, statement, signed_digest(raw))
        else:
            _opt_out(connection, statement.enterprise, signed_digest(raw), stamp.issued_at)
    return Confirmation(
        trust.enclave_id, statement.enterprise, isinstance(statement, OptIn), signed_digest(raw), now
    ).sign(trust.receipt_key)


def _check(trust: Trust, opt_in: OptIn, now: int) -> None:
    scorecard = scorecard_of(trust)
    if (opt_in.scorecard, opt_in.scorecard_digest) != (scorecard.reference, scorecard.digest):
        raise Refused(Reason.CATALOGUE_UNKNOWN, f"opt in to the scorecard in force, {scorecard.reference}")
    if opt_in.not_after <= now:
        raise Refused(Reason.DOCUMENT_EXPIRED, "the opt-in is over already; choose a later day")
    if opt_in.notice_hash != notice_hash(opt_in, scorecard, trust.catalogue):
        raise Refused(Reason.NOTICE_MISMATCH, "the notice that was shown is not the notice of these terms")


def _opt_in(connection: sqlite3.Connection, opt_in: OptIn, digest: str) -> None:
    """Only what was signed after the last statement: an opt-in held back undoes no opt-out. Raises `Refused`."""
    newer = connection.execute(
        "INSERT INTO white_list_opt_in VALUES (?, 'in', ?, ?, ?, ?) ON CONFLICT DO UPDATE SET state = 'in',"
        " document = excluded.document, scorecard = excluded.scorecard, not_after = excluded.not_after,"
        " issued_at = excluded.issued_at WHERE excluded.issued_at > issued_at",
        (opt_in.enterprise, digest, opt_in.scorecard_digest, opt_in.not_after, opt_in.stamp.issued_at),
    )
    if newer.rowcount != 1:
        raise Refused(
            Reason.STATEMENT_SUPERSEDED, "a statement signed later, or in the same second, is in force; sign this anew"
        )
    connection.execute("DELETE FROM white_list_opt_in_bank WHERE enterprise = ?", (opt_in.enterprise,))
    banks = opt_in.banks or (_ALL_BANKS,)
    connection.executemany(
        "INSERT INTO white_list_opt_in_bank VALUES (?, ?)", [(opt_in.enterprise, bank) for bank in banks]
    )


def _opt_out(connection: sqlite3.Connection, enterprise: str, digest: str, issued_at: int) -> None:
    """Whenever it arrives, it holds; and no opt-in signed before it, or before the last one, holds again."""
    connection.execute(
        "INSERT INTO white_list_opt_in VALUES (?, 'out', ?, '', 0, ?) ON CONFLICT DO UPDATE SET state = 'out',"
        " document = excluded.document, issued_at = max(issued_at, excluded.issued_at)",
        (enterprise, digest, issued_at),
    )


def subscribe(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> tuple[str, bool]:
    """A bank's subscription, or its end: (bank, whether it is subscribed). Versions of its lists go on rising over
    both. Raises `Refused`, `DocumentError`."""
    signed = verify_with_chain(raw, SUBSCRIPTION_TYPE, trust.banks)
    subscription = parse_subscription(signed.claims)
    stamp, bank = subscription.stamp, signed.identity.name
    trust.check_stamp(stamp, now)
    if stamp.issuer != bank:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    reader = json.dumps(subscription.reader.claims()) if subscription.reader else ""
    with transaction(connection, "subscribe to the white list"):
        spend_nonce(connection, signed.thumbprint, stamp, now)
        newer = connection.execute(
            "INSERT INTO white_list_subscription VALUES (?, ?, 0, ?) ON CONFLICT DO UPDATE SET"
            " reader = excluded.reader, issued_at = excluded.issued_at WHERE excluded.issued_at >= issued_at",
            (bank, reader, stamp.issued_at),
        )
        if newer.rowcount != 1:
            raise Refused(Reason.STATEMENT_SUPERSEDED, "a subscription signed later is in force; sign this one anew")
    return bank, bool(reader)
