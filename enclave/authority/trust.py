"""What the authority knows before any request comes: who it is, whom it trusts, and its catalogue."""

import sqlite3
from dataclasses import dataclass
from functools import lru_cache

from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import EnclaveId, IdentifierError, Uscc, parse_uscc
from xinyidai.identity import TrustAnchor
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS, Stamp
from xinyidai.signing import DocumentError, SigningKey, VerifyingKey

from enclave.errors import Refused


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    enclave_id: EnclaveId
    banks: TrustAnchor
    registrar: TrustAnchor
    catalogue: Catalogue
    receipt_key: SigningKey
    budget_bank_centibits: int
    budget_total_centibits: int
    most_models: int
    """Scorecards a bank may have here."""
    most_trees: int
    """Tree ensembles a bank may have here; each takes tens to hundreds of megabytes."""
    seal_limit_seconds: int = 900
    """Nothing new is assessed when the log was not sealed for longer."""

    def check_stamp(self, stamp: Stamp, now: int) -> None:
        """Raises `Refused` when the document is for another enclave or out of its time."""
        Addressee(self.enclave_id, self.catalogue).check_stamp(stamp, now)


@dataclass(frozen=True, slots=True, eq=False)
class Addressee:
    """Whom documents are addressed to, without whom it trusts: what a department's decision is checked against."""

    enclave_id: EnclaveId
    catalogue: Catalogue

    def check_stamp(self, stamp: Stamp, now: int) -> None:
        """Raises `Refused` when the document is for another enclave or out of its time."""
        if self.enclave_id not in stamp.audience:
            raise Refused(Reason.AUDIENCE_MISMATCH, "the document is for another enclave; name this one in aud")
        try:
            stamp.check_time(now)
        except DocumentError as error:
            raise Refused(error.reason, str(error)) from error


def spend_nonce(connection: sqlite3.Connection, signer: str, stamp: Stamp, now: int) -> None:
    """One atomic insert, keyed by the signer's key so that no party can block another's. Raises `Refused`.

    Kept until expiry plus the skew on both sides, so no entry vanishes while its document could still be accepted; and
    up to when entries were dropped is kept too, so a clock that was ahead and is set back revives no document.
    """
    (forgotten,) = connection.execute("SELECT coalesce(max(until), 0) FROM forgotten_nonces").fetchone()
    keep = stamp.expires_at + 2 * MAX_SKEW_SECONDS
    if keep < forgotten:
        raise Refused(Reason.DOCUMENT_EXPIRED, "the document is out of its time; sign a new one")
    if connection.execute("DELETE FROM spent_nonce WHERE keep_until < ?", (now,)).rowcount:
        connection.execute(
            "INSERT INTO forgotten_nonces VALUES (1, ?) ON CONFLICT DO UPDATE SET until = max(until, excluded.until)",
            (now,),
        )
    spent = connection.execute(
        "INSERT INTO spent_nonce VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (signer, stamp.nonce, keep)
    )
    if spent.rowcount != 1:
        raise Refused(Reason.NONCE_SPENT, "this document was used before; sign a new one with a new jti")


def pinned_key(connection: sqlite3.Connection, raw_enterprise: str) -> VerifyingKey:
    """The key an enterprise's documents verify with. Raises `Refused`."""
    try:
        enterprise = parse_uscc(raw_enterprise)
    except IdentifierError as error:
        raise Refused(Reason.USCC_INVALID, str(error)) from error
    row = connection.execute("SELECT pem FROM enterprise_key WHERE enterprise = ?", (enterprise,)).fetchone()
    if row is None:
        raise Refused(Reason.KEY_NOT_REGISTERED, "register the enterprise's key first")
    return verifying_key(row[0])


@lru_cache(maxsize=4096)
def verifying_key(pem: bytes) -> VerifyingKey:
    return VerifyingKey.from_pem(pem)


def pin_key(connection: sqlite3.Connection, enterprise: Uscc, key: VerifyingKey, now: int) -> None:
    """Pin the first key of an enterprise; the same key again changes nothing. Raises `Refused` for another key.

    A USCC whose check character fails is accepted: some genuine legacy codes fail it.
    """
    connection.execute(
        "INSERT INTO enterprise_key VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (enterprise, key.to_pem(), key.thumbprint, now),
    )
    (pinned,) = connection.execute(
        "SELECT thumbprint FROM enterprise_key WHERE enterprise = ?", (enterprise,)
    ).fetchone()
    if pinned != key.thumbprint:
        raise Refused(
            Reason.KEY_ALREADY_PINNED,
            "another key is registered for this enterprise; ask the data holder to reset it",
        )
