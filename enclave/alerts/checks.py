"""The checks: one alert for each watch and newly loaded snapshot, made in one transaction with its charge.

An alert is made and charged whether a rule is met or not. Otherwise its coming would tell the platform, and its staying
away the bank, something about the records that nothing was charged for.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xinyidai.alerts.documents import Alert
from xinyidai.alerts.rules import RiskRules
from xinyidai.authorization import Authorization
from xinyidai.confidential import SealingKey
from xinyidai.disclosures import DisclosureKind
from xinyidai.identifiers import BankId, Uscc
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.reasons import Reason
from xinyidai.signing import Claims

from enclave.alerts.watches import ACTIVE, ENDED, SUSPENDED, check_grant, rules_of
from enclave.authority.disclosures import Telling, charge_telling
from enclave.authority.grants import check_usable, known_grant
from enclave.authority.ledger import check_uses
from enclave.authority.revisions import Row, RowsOutdated, row_in_force
from enclave.authority.store import transaction
from enclave.authority.trust import Trust
from enclave.errors import Refused
from enclave.lineage.rows_in_force import cells_in_force
from enclave.matrix import Matrix

_AT_A_TIME: Final = 50
_LOOK_SECONDS: Final = 60
"""How often a suspended watch is looked at again."""
_MOST_TAKEN: Final = 100
_FINAL: Final = (Reason.AUTHORIZATION_REVOKED, Reason.AUTHORIZATION_EXPIRED, Reason.AUTHORIZATION_USED_UP)


@dataclass(frozen=True, slots=True)
class MadeAlert:
    number: int
    """Rising, in the order in which alerts were made."""
    alert_id: str
    authorization: str
    bank: str
    enterprise: str
    made_at: int
    sealed: str


def check_watches(
    connection: sqlite3.Connection, trust: Trust, matrix: Matrix, now: int, new_id: Callable[[], str]
) -> int:
    """Check some of the watches that are due, each in a transaction of its own; how many alerts were made."""
    try:
        rules = rules_of(trust)
    except Refused:
        return 0
    due = connection.execute(
        "SELECT authorization FROM watch WHERE snapshot <> ? AND (state = ? OR (state = ? AND looked_at <= ?))"
        " ORDER BY looked_at, authorization LIMIT ?",
        (matrix.snapshot_id, ACTIVE, SUSPENDED, now - _LOOK_SECONDS, _AT_A_TIME),
    ).fetchall()
    return sum(_check(connection, trust, rules, matrix, digest, now, new_id) for (digest,) in due)


def _check(
    connection: sqlite3.Connection,
    trust: Trust,
    rules: RiskRules,
    matrix: Matrix,
    digest: str,
    now: int,
    new_id: Callable[[], str],
) -> bool:
    with transaction(connection, "check watch"):
        enterprise, checked_at = connection.execute(
            "SELECT enterprise, checked_at FROM watch WHERE authorization = ?", (digest,)
        ).fetchone()
        grant, state = known_grant(connection, digest)
        alert_id = new_id()
        try:
            row = row_in_force(connection, enterprise, matrix.snapshot_id, matrix.accounted)
        except RowsOutdated:
            # An objection was made this moment: checked once the row without the record is there.
            connection.execute("UPDATE watch SET looked_at = ? WHERE authorization = ?", (now, digest))
            return False
        try:
            check_usable(grant, state, now)
            check_grant(trust, rules, grant)
            check_uses(connection, digest, grant)
            _check_pause(grant, checked_at, now)
            centibits = rules.centibits(grant.categories, grant.disclosure)
            telling = Telling(
                DisclosureKind.ALERT,
                enterprise,
                grant.bank,
                digest,
                centibits,
                centibits,
                matrix.snapshot_id,
                matrix.as_of,
            )
            charge_telling(connection, trust, telling, alert_id, now)
        except Refused as refusal:
            connection.execute(
                "UPDATE watch SET state = ?, reason = ?, looked_at = ? WHERE authorization = ?",
                (ENDED if refusal.reason in _FINAL else SUSPENDED, refusal.reason, now, digest),
            )
            return False
        _make(connection, trust, rules, matrix, row, grant, digest, alert_id, centibits, now)
    return True


def _check_pause(grant: Authorization, checked_at: int, now: int) -> None:
    """Checks keep the days between two assessments that the purpose asks for. Raises `Refused`."""
    pause = PURPOSES[grant.purpose].min_days_between * DAY_SECONDS
    if checked_at and now - checked_at < pause:
        raise Refused(Reason.PURPOSE_LIMIT, f"{grant.purpose} allows one check in {pause // DAY_SECONDS} days")


def _make(
    connection: sqlite3.Connection,
    trust: Trust,
    rules: RiskRules,
    matrix: Matrix,
    row: Row,
    grant: Authorization,
    digest: str,
    alert_id: str,
    centibits: int,
    now: int,
) -> None:
    reader, number = connection.execute(
        "UPDATE watch SET state = ?, reason = '', alerts = alerts + 1, snapshot = ?, checked_at = ?, looked_at = ?"
        " WHERE authorization = ? RETURNING reader, alerts",
        (ACTIVE, matrix.snapshot_id, now, now, digest),
    ).fetchone()
    finding = rules.examine(cells_in_force(matrix, grant.enterprise, row).tolist(), grant.categories, grant.disclosure)
    alert = Alert(
        enclave=trust.enclave_id,
        alert_id=alert_id,
        bank=BankId(grant.bank),
        enterprise=Uscc(grant.enterprise),
        authorization=digest,
        number=number,
        made_at=now,
        snapshot=matrix.snapshot_id,
        as_of=matrix.as_of,
        catalogue=trust.catalogue.reference,
        catalogue_digest=trust.catalogue.digest,
        rule_set=rules.reference,
        rule_set_digest=rules.digest,
        level=finding.level,
        rules=finding.rules,
        centibits=centibits,
    )
    sealed = alert.seal(trust.receipt_key, SealingKey.from_claims(Claims(json.loads(reader))))
    connection.execute(
        "INSERT INTO alert (alert_id, authorization, made_at, sealed) VALUES (?, ?, ?, ?)",
        (alert_id, digest, now, sealed),
    )


def take_alerts(connection: sqlite3.Connection, after: int) -> list[MadeAlert]:
    """What was made behind number `after` and may still leave: nothing under an authorization that was paused or
    revoked meanwhile, nor under a watch that the bank ended."""
    rows = connection.execute(
        "SELECT a.sequence, a.alert_id, a.authorization, w.bank, w.enterprise, a.made_at, a.sealed FROM alert a"
        " JOIN watch w ON w.authorization = a.authorization JOIN authorization g ON g.digest = a.authorization"
        " WHERE a.sequence > ? AND g.state = 'active' AND (w.state <> 'ended' OR w.reason <> '')"
        " ORDER BY a.sequence LIMIT ?",
        (after, _MOST_TAKEN),
    )
    return [MadeAlert(*row) for row in rows]
