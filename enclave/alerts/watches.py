"""Banks' watches, each on the authorization of one enterprise for monitoring after the loan."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Final

from xinyidai.alerts.documents import PURPOSE, WATCH_TYPE, WatchOrder, parse_watch
from xinyidai.alerts.rules import RiskRules, risk_rules
from xinyidai.authorization import Authorization
from xinyidai.catalogue import CatalogueError
from xinyidai.identity import verify_with_chain
from xinyidai.reasons import Reason

from enclave.authority.grants import check_usable, known_grant
from enclave.authority.store import transaction
from enclave.authority.trust import Trust, spend_nonce
from enclave.errors import Refused

ACTIVE, SUSPENDED, ENDED = "active", "suspended", "ended"
_STATES: Final = "SELECT authorization, enterprise, state, reason, alerts, checked_at FROM watch"


@dataclass(frozen=True, slots=True)
class WatchState:
    authorization: str
    enterprise: str
    state: str
    reason: str
    alerts: int
    checked_at: int


def rules_of(trust: Trust) -> RiskRules:
    """Raises `Refused` where the catalogue in force lacks what the rules read."""
    try:
        return risk_rules(trust.catalogue)
    except CatalogueError as error:
        raise Refused(Reason.CATALOGUE_UNKNOWN, "the risk rules do not fit this enclave's catalogue") from error


def set_watch(connection: sqlite3.Connection, trust: Trust, raw: str, now: int) -> WatchState:
    """Start, renew or end a watch as a bank signed. Raises `Refused`, `DocumentError`."""
    signed = verify_with_chain(raw, WATCH_TYPE, trust.banks)
    order = parse_watch(signed.claims)
    trust.check_stamp(order.stamp, now)
    if order.stamp.issuer != signed.identity.name:
        raise Refused(Reason.CERTIFICATE_INVALID, "the certificate names another bank")
    with transaction(connection, "set watch"):
        spend_nonce(connection, signed.thumbprint, order.stamp, now)
        grant, state = known_grant(connection, order.authorization)
        if (grant.bank, grant.bank_certificate, grant.enterprise) != (
            signed.identity.name,
            signed.thumbprint,
            order.enterprise,
        ):
            raise Refused(
                Reason.AUTHORIZATION_SCOPE, "the authorization is for another bank, certificate or enterprise"
            )
        if order.reader is None:
            _end(connection, order)
        else:
            check_grant(trust, rules_of(trust), grant)
            check_usable(grant, state, now)
            _start(connection, order, grant)
        row = connection.execute(f"{_STATES} WHERE authorization = ?", (order.authorization,)).fetchone()
    return WatchState(*row)


def check_grant(trust: Trust, rules: RiskRules, grant: Authorization) -> None:
    """Raises `Refused` unless what the enterprise signed covers alerts: their purpose, and no more bits each than
    it was told an assessment takes."""
    if grant.purpose != PURPOSE:
        raise Refused(Reason.AUTHORIZATION_SCOPE, f"a watch needs an authorization for {PURPOSE}")
    if grant.catalogue_digest != trust.catalogue.digest:
        raise Refused(Reason.CATALOGUE_UNKNOWN, "the authorization is on an earlier catalogue; ask for a new one")
    if not rules.within(grant.categories):
        raise Refused(Reason.AUTHORIZATION_SCOPE, "no risk rule reads only the categories of this authorization")
    if rules.centibits(grant.categories, grant.disclosure) > grant.centibits_each():
        raise Refused(
            Reason.AUTHORIZATION_SCOPE,
            "an alert tells more than this authorization allows at a time; ask for a finer one",
        )


def _start(connection: sqlite3.Connection, order: WatchOrder, grant: Authorization) -> None:
    reader = json.dumps(order.reader.claims()) if order.reader else ""
    newer = connection.execute(
        "INSERT INTO watch VALUES (?, ?, ?, ?, ?, '', ?, 0, '', 0, 0) ON CONFLICT DO UPDATE SET"
        " reader = excluded.reader, state = excluded.state, reason = '', issued_at = excluded.issued_at, looked_at = 0"
        " WHERE excluded.issued_at >= issued_at",
        (order.authorization, grant.bank, grant.enterprise, reader, ACTIVE, order.stamp.issued_at),
    )
    if newer.rowcount != 1:
        raise Refused(Reason.STATEMENT_SUPERSEDED, "an order signed later is in force; sign this one anew")


def _end(connection: sqlite3.Connection, order: WatchOrder) -> None:
    ended = connection.execute(
        "UPDATE watch SET state = ?, reason = '', issued_at = max(issued_at, ?) WHERE authorization = ?",
        (ENDED, order.stamp.issued_at, order.authorization),
    )
    if ended.rowcount != 1:
        raise Refused(Reason.WATCH_UNKNOWN, "this bank has no watch under that authorization")


def watches_of(connection: sqlite3.Connection, bank: str) -> list[WatchState]:
    """A bank's watches, at most 10,000."""
    rows = connection.execute(f"{_STATES} WHERE bank = ? ORDER BY enterprise, authorization LIMIT 10000", (bank,))
    return [WatchState(*row) for row in rows]
