"""Which enterprises want finance, by what they signed on the market.

The platform carries these documents, whenever it likes and as often as it likes: it can hold one back, and so leave an
enterprise out, or leave one in whose demand has ended until the demand's own end. It cannot make one.
"""

import sqlite3
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from xinyidai.demands import DEMAND_TYPE, DemandAction, DemandDocument, demand_id, parse_demand_document
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import VerifyingKey, read_unverified, signed_digest

from enclave.authority.store import transaction
from enclave.authority.trust import Trust, pinned_key
from enclave.errors import Refused

MAX_OPEN: Final = 50
"""Demands of one enterprise at a time."""
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_CLOSING: Final = (DemandAction.WITHDRAW, DemandAction.ACCEPT)


def submit_demand(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> None:
    """Note a demand, its change or its end. Submitting a document again changes nothing. Raises `Refused`,
    `DocumentError`. The document's own short lifetime is the market's: here it may be as old as its demand."""
    signer = pinned_key(connection, read_unverified(raw).text("sub"))
    document = parse_demand_document(signer.verify(raw, DEMAND_TYPE))
    if trust.enclave_id not in document.stamp.audience:
        raise Refused(Reason.AUDIENCE_MISMATCH, "the document is for another enclave; name this one in aud")
    if document.stamp.issued_at > now + MAX_SKEW_SECONDS:
        raise Refused(Reason.DOCUMENT_EXPIRED, "the document is dated in the future; check your clock")
    with transaction(connection, f"white list: {document.action} demand"):
        connection.execute("DELETE FROM white_list_demand WHERE expires_at <= ?", (now,))
        if document.action is DemandAction.POST:
            _post(connection, document, raw, signer, now)
        elif document.action is DemandAction.CHANGE:
            _change(connection, document)
        elif document.action in _CLOSING:
            _close(connection, document)
        else:
            raise Refused(Reason.REQUEST_INVALID, "only a demand, its change and its end concern the white list")


def _post(connection: sqlite3.Connection, document: DemandDocument, raw: str, signer: VerifyingKey, now: int) -> None:
    expires_at = document.terms.expires_at if document.terms else 0
    if expires_at <= now:
        return
    names = _names(raw, signer)
    (known,) = connection.execute(
        "SELECT count(*) FROM white_list_demand WHERE enterprise = ?", (document.enterprise,)
    ).fetchone()
    if known >= MAX_OPEN:
        raise Refused(Reason.REQUEST_INVALID, f"an enterprise has at most {MAX_OPEN} demands at a time here")
    ended = connection.execute(
        "SELECT 1 FROM white_list_closing WHERE enterprise = ? AND demand_id IN (?, ?)", (document.enterprise, *names)
    ).fetchone()
    connection.execute(
        "INSERT INTO white_list_demand VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            signed_digest(raw), document.enterprise, demand_id(raw), *names, document.stamp.issued_at, expires_at,
            int(ended is not None),
        ),
    )  # fmt: skip


def _names(raw: str, signer: VerifyingKey) -> tuple[str, str]:
    """Every id by which the enterprise can have named the demand it signed.

    An id is a digest of the whole document, signature included, and whoever carries one can write its signature
    differently: other spare bits of base64, or for ECDSA (r, n - s) for (r, s). What the enterprise sent is one of the
    two canonical ways.
    """
    body, _, encoded = raw.rpartition(".")
    signature = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
    ways = [signature]
    if signer.algorithm == "ES256":
        half = len(signature) // 2
        other = (_P256_ORDER - int.from_bytes(signature[half:], "big")) % _P256_ORDER
        ways.append(signature[:half] + other.to_bytes(half, "big"))
    names = sorted(demand_id(f"{body}.{urlsafe_b64encode(way).rstrip(b'=').decode()}") for way in ways)
    return names[0], names[-1]


def _change(connection: sqlite3.Connection, document: DemandDocument) -> None:
    """From the version it names to the next; one that names another version was carried before, or out of turn."""
    connection.execute(
        "UPDATE white_list_demand SET version = version + 1, expires_at = ?"
        " WHERE enterprise = ? AND ? IN (first_id, twin_id) AND version = ? AND closed = 0",
        (
            document.terms.expires_at if document.terms else 0,
            document.enterprise,
            document.demand or "",
            document.version,
        ),
    )


def _close(connection: sqlite3.Connection, document: DemandDocument) -> None:
    closed = connection.execute(
        "UPDATE white_list_demand SET closed = 1 WHERE enterprise = ? AND ? IN (first_id, twin_id)",
        (document.enterprise, document.demand or ""),
    )
    if not closed.rowcount:
        # It overtook its demand, which will come closed.
        connection.execute(
            "INSERT INTO white_list_closing VALUES (?, ?) ON CONFLICT DO NOTHING",
            (document.enterprise, document.demand or ""),
        )
