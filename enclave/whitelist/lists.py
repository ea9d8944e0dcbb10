"""Making a list: who may be on it, who is, what that tells, and the charge for it, in one transaction.

An enterprise is a candidate while its opt-in, one of its demands and the scorecard are in force. What a bank learns of
a candidate's records is one bit, whether it is listed or not, so it is charged for every candidate alike, before
anything is known of the outcome, and again only when the standing is determined anew.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from xinyidai.confidential import SealingKey
from xinyidai.disclosures import DisclosureKind
from xinyidai.identifiers import BankId, Uscc
from xinyidai.purposes import DAY_SECONDS
from xinyidai.reasons import Reason
from xinyidai.signing import Claims
from xinyidai.whitelist.lists import MAX_PARTS, PART_ENTRIES, ListHead, Member, Withdrawal, parts_needed, split
from xinyidai.whitelist.scorecard import PublicScorecard
from xinyidai.whitelist.statements import CENTIBITS

from enclave.authority.disclosures import Telling, charge_telling
from enclave.authority.revisions import RowsOutdated, row_in_force
from enclave.authority.store import transaction
from enclave.authority.trust import Trust
from enclave.errors import Refused
from enclave.lineage.rows_in_force import cells_in_force
from enclave.matrix import Matrix
from enclave.whitelist.statements import scorecard_of

WITHDRAWAL_SECONDS: Final = 30 * DAY_SECONDS
"""How long lists say that an enterprise left."""
_CANDIDATES: Final = (
    "SELECT o.enterprise, o.document, d.shown_id, min(d.issued_at) FROM white_list_opted_in o"
    " JOIN white_list_demand d ON d.enterprise = o.enterprise AND d.closed = 0 AND d.expires_at > :now"
    " WHERE o.bank IN ('', :bank) AND o.not_after > :now AND o.scorecard = :scorecard"
    " GROUP BY o.enterprise ORDER BY o.enterprise LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class ListRules:
    lifetime_seconds: int = 3_600
    """How long a list may be used."""
    standing_days: int = 28
    """A standing is determined anew at most this often, from a newer snapshot."""


@dataclass(frozen=True, slots=True)
class SealedList:
    version: int
    parts: tuple[str, ...]
    made_at: int
    expires_at: int


@dataclass(frozen=True, slots=True, eq=False)
class _Making:
    """What one list is made of."""

    connection: sqlite3.Connection
    trust: Trust
    rules: ListRules
    matrix: Matrix
    scorecard: PublicScorecard
    bank: str
    now: int
    new_id: Callable[[], str]

    @property
    def names(self) -> dict[str, object]:
        most = MAX_PARTS * PART_ENTRIES // 2
        return {"bank": self.bank, "now": self.now, "scorecard": self.scorecard.digest, "most": most}


def make_list(
    connection: sqlite3.Connection,
    trust: Trust,
    rules: ListRules,
    matrix: Matrix,
    bank: str,
    now: int,
    new_id: Callable[[], str],
) -> SealedList:
    """A new version for a subscribed bank. Signed and sealed before the transaction ends: what is charged for exists,
    and nothing leaves without its charge. Raises `Refused`."""
    making = _Making(connection, trust, rules, matrix, scorecard_of(trust), bank, now, new_id)
    with transaction(connection, "make white list"):
        reader, version = _next_version(connection, bank)
        candidates = connection.execute(_CANDIDATES, making.names).fetchall()
        members = [
            Member(Uscc(enterprise), demand)
            for enterprise, document, demand, _ in candidates
            if _in_good_standing(making, enterprise, document)
        ]
        withdrawn, places = _withdrawn(making)
        connection.executemany(
            "UPDATE white_list_standing SET listed = 1 WHERE bank = ? AND enterprise = ? AND listed = 0",
            [(bank, member.enterprise) for member in members],
        )
        head = ListHead(
            enclave=trust.enclave_id,
            bank=BankId(bank),
            list_id=new_id(),
            version=version,
            # Of what the relay may know: who could be listed, never of who is.
            parts=parts_needed(len(candidates) + places),
            made_at=now,
            expires_at=now + rules.lifetime_seconds,
            snapshot=matrix.snapshot_id,
            as_of=matrix.as_of,
            scorecard=making.scorecard.reference,
            scorecard_digest=making.scorecard.digest,
        )
        parts = tuple(part.seal(trust.receipt_key, reader) for part in split(head, members, withdrawn))
    return SealedList(version, parts, now, head.expires_at)


def _next_version(connection: sqlite3.Connection, bank: str) -> tuple[SealingKey, int]:
    row = connection.execute(
        "UPDATE white_list_subscription SET version = version + 1 WHERE bank = ? AND reader <> ''"
        " RETURNING reader, version",
        (bank,),
    ).fetchone()
    if row is None:
        raise Refused(Reason.SUBSCRIPTION_UNKNOWN, "this bank has not subscribed to the white list")
    return SealingKey.from_claims(Claims(json.loads(row[0]))), row[1]


def _in_good_standing(making: _Making, enterprise: str, document: str) -> bool:
    """As last determined for this bank, or determined anew and charged when that is due. An enterprise whose budgets do
    not cover it is left out, whatever its standing."""
    row = making.connection.execute(
        "SELECT basis, good, told_at FROM white_list_standing WHERE bank = ? AND enterprise = ?",
        (making.bank, enterprise),
    ).fetchone()
    try:
        found = row_in_force(making.connection, enterprise, making.matrix.snapshot_id, making.matrix.accounted)
    except RowsOutdated:
        # An objection was made this moment: nothing new is told until the row without the record is there.
        return row is not None and bool(row[1])
    basis = " ".join((making.matrix.snapshot_id, making.scorecard.digest, found.revision)).rstrip()
    if row is not None and (row[0] == basis or making.now - row[2] < making.rules.standing_days * DAY_SECONDS):
        return bool(row[1])
    # The same bit told to another bank is nothing new to all banks together.
    told = making.connection.execute(
        "SELECT 1 FROM white_list_told WHERE enterprise = ? AND basis = ?", (enterprise, basis)
    ).fetchone()
    telling = Telling(
        DisclosureKind.WHITE_LIST, enterprise, making.bank, document, CENTIBITS, 0 if told else CENTIBITS,
        making.matrix.snapshot_id, making.matrix.as_of,
    )  # fmt: skip
    try:
        charge_telling(making.connection, making.trust, telling, making.new_id(), making.now)
    except Refused:
        return False
    making.connection.execute("INSERT INTO white_list_told VALUES (?, ?) ON CONFLICT DO NOTHING", (enterprise, basis))
    good = making.scorecard.good_standing(cells_in_force(making.matrix, enterprise, found).tolist())
    making.connection.execute(
        "INSERT INTO white_list_standing VALUES (?, ?, ?, ?, ?, 0, NULL) ON CONFLICT DO UPDATE SET"
        " basis = excluded.basis, good = excluded.good, told_at = excluded.told_at",
        (making.bank, enterprise, basis, int(good), making.now),
    )
    return good


def _withdrawn(making: _Making) -> tuple[list[Withdrawal], int]:
    """Those who were listed and left by themselves, and how many places to keep for all who left, listed or not."""
    connection, names = making.connection, making.names | {"since": making.now - WITHDRAWAL_SECONDS}
    connection.execute(
        "UPDATE white_list_standing SET withdrawn_at = CASE WHEN enterprise IN (SELECT enterprise FROM"
        " white_list_opted_in WHERE bank IN ('', :bank) AND not_after > :now) THEN NULL"
        " ELSE coalesce(withdrawn_at, :now) END WHERE bank = :bank",
        names,
    )
    left = connection.execute(
        "SELECT enterprise, withdrawn_at, listed FROM white_list_standing WHERE bank = :bank AND withdrawn_at > :since"
        " ORDER BY withdrawn_at DESC, enterprise LIMIT :most",
        names,
    ).fetchall()
    return [Withdrawal(Uscc(enterprise), at) for enterprise, at, listed in left if listed], len(left)
