"""Whose signature a document bears: the enterprise's pinned key, or a key that the enterprise delegated powers to."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from xinyidai.delegation import MAX_DELEGATION_DAYS, MAX_DELEGATIONS, Delegation, Power
from xinyidai.events import Initiator
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.signing import SignatureInvalid, VerifyingKey
from xinyidai.statements import Statement

from enclave.authority.trust import pinned_key, verifying_key
from enclave.errors import Refused

MAX_KEPT: Final = 64
"""Delegations of one enterprise that are kept, ended ones among them."""
MAX_ACTS: Final = 500


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a document whose signature was verified with `key`."""

    enterprise: str
    key: VerifyingKey
    name: str = ""
    """Masked name of the delegate; empty: the enterprise itself."""
    powers: frozenset[Power] | None = None
    """None: all, and to delegate besides."""

    def require(self, *any_of: Power) -> None:
        """Raises `Refused` unless the signer may do this; with no power named, only the enterprise itself may."""
        if self.powers is not None and self.powers.isdisjoint(any_of):
            raise Refused(Reason.DELEGATION_POWER, "this key was not given the power to do that; ask the enterprise")

    @property
    def initiator(self) -> Initiator:
        return Initiator.ENTERPRISE if self.powers is None else Initiator.DELEGATE


def signer_of(connection: sqlite3.Connection, raw_enterprise: str, raw: str, typ: str, now: int) -> Signer:
    """Who of an enterprise signed a document of type `typ`. Raises `Refused` or `DocumentError`.

    Which of the keys it was is found by trying them: a header that names one could only mislead.
    """
    own = pinned_key(connection, raw_enterprise)
    try:
        own.verify(raw, typ)
        return Signer(raw_enterprise, own)
    except SignatureInvalid:
        found = _delegate(connection, raw_enterprise, raw, typ, now)
        if found is None:
            raise
        return found


def _delegate(connection: sqlite3.Connection, enterprise: str, raw: str, typ: str, now: int) -> Signer | None:
    rows = connection.execute(
        "SELECT pem, powers, name, not_after, ended_at FROM delegation WHERE enterprise = ?", (enterprise,)
    ).fetchall()
    for pem, powers, name, not_after, ended_at in rows:
        key = verifying_key(pem)
        try:
            key.verify(raw, typ)
        except SignatureInvalid:
            continue
        if ended_at is not None or now >= not_after:
            raise Refused(Reason.DELEGATION_ENDED, "this delegation has ended; ask the enterprise for a new one")
        return Signer(enterprise, key, name, frozenset(Power(power) for power in powers.split()))
    return None


def still_signs(connection: sqlite3.Connection, signer: Signer, now: int) -> None:
    """Inside the transaction that acts on a document: neither key nor powers were withdrawn meanwhile. Raises
    `Refused`."""
    if signer.powers is None:
        row = connection.execute(
            "SELECT 1 FROM enterprise_key WHERE enterprise = ? AND thumbprint = ?",
            (signer.enterprise, signer.key.thumbprint),
        ).fetchone()
    else:
        row = connection.execute(
            "SELECT 1 FROM delegation WHERE enterprise = ? AND thumbprint = ? AND ended_at IS NULL AND not_after > ?",
            (signer.enterprise, signer.key.thumbprint, now),
        ).fetchone()
    if row is None:
        raise Refused(Reason.DELEGATION_ENDED, "this key no longer signs for the enterprise")


def note_act(connection: sqlite3.Connection, signer: Signer, act: str, about: str, now: int) -> None:
    """What a delegate did, for the enterprise to read; what the enterprise does itself it knows."""
    if signer.powers is not None:
        connection.execute(
            "INSERT INTO delegate_act (enterprise, thumbprint, name, at, act, about) VALUES (?, ?, ?, ?, ?, ?)",
            (signer.enterprise, signer.key.thumbprint, signer.name, now, act, about),
        )


def delegate(connection: sqlite3.Connection, statement: Statement, given: Delegation, now: int) -> None:
    """Give powers to a key, or other powers to one that has some. Inside the statement's transaction."""
    enterprise, thumbprint = statement.enterprise, given.key.thumbprint
    if not now < given.not_after <= now + MAX_DELEGATION_DAYS * DAY_SECONDS:
        raise Refused(Reason.REQUEST_INVALID, f"a delegation ends within {MAX_DELEGATION_DAYS} days")
    own = "SELECT 1 FROM enterprise_key WHERE enterprise = ? AND thumbprint = ?"
    if connection.execute(own, (enterprise, thumbprint)).fetchone() is not None:
        raise Refused(Reason.REQUEST_INVALID, "this is the enterprise's own key; a delegate makes one of its own")
    (standing,) = connection.execute(
        "SELECT count(*) FROM delegation WHERE enterprise = ? AND thumbprint <> ? AND ended_at IS NULL"
        " AND not_after > ?",
        (enterprise, thumbprint, now),
    ).fetchone()
    if standing >= MAX_DELEGATIONS:
        raise Refused(Reason.DELEGATION_LIMIT, f"at most {MAX_DELEGATIONS} delegations are in force at once; end one")
    connection.execute(
        "INSERT INTO delegation VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE SET powers = excluded.powers,"
        " name = excluded.name, not_after = excluded.not_after, made_at = excluded.made_at, ended_at = NULL",
        (enterprise, thumbprint, given.key.to_pem(), " ".join(sorted(given.powers)), given.name, given.not_after, now),
    )
    connection.execute(
        "DELETE FROM delegation WHERE enterprise = ? AND (ended_at IS NOT NULL OR not_after <= ?) AND thumbprint NOT IN"
        " (SELECT thumbprint FROM delegation WHERE enterprise = ? ORDER BY made_at DESC LIMIT ?)",
        (enterprise, now, enterprise, MAX_KEPT),
    )


def end_delegation(connection: sqlite3.Connection, enterprise: str, thumbprint: str, now: int) -> None:
    """At once: nothing the delegate signed counts from here on, unless it was carried out before."""
    connection.execute(
        "UPDATE delegation SET ended_at = ? WHERE enterprise = ? AND thumbprint = ? AND ended_at IS NULL",
        (now, enterprise, thumbprint),
    )


@dataclass(frozen=True, slots=True)
class DelegationRow:
    delegate: str
    name: str
    powers: tuple[str, ...]
    not_after: int
    ended_at: int


@dataclass(frozen=True, slots=True)
class ActRow:
    delegate: str
    name: str
    at: int
    act: str
    about: str


def delegations_of(connection: sqlite3.Connection, enterprise: str) -> tuple[list[DelegationRow], list[ActRow]]:
    """Delegations, newest first, and what delegates signed, newest first."""
    rows = connection.execute(
        "SELECT thumbprint, name, powers, not_after, coalesce(ended_at, 0) FROM delegation WHERE enterprise = ?"
        " ORDER BY made_at DESC, thumbprint",
        (enterprise,),
    ).fetchall()
    acts = connection.execute(
        "SELECT thumbprint, name, at, act, about FROM delegate_act WHERE enterprise = ? ORDER BY sequence DESC LIMIT ?",
        (enterprise, MAX_ACTS),
    ).fetchall()
    found = [DelegationRow(key, name, tuple(powers.split()), until, ended) for key, name, powers, until, ended in rows]
    return found, [ActRow(*act) for act in acts]
