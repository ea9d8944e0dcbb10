"""What is told to a bank besides scores: charged to the same ledger and budgets, before it is told."""

import sqlite3
from dataclasses import dataclass

from xinyidai.disclosures import Disclosure, DisclosureKind
from xinyidai.identifiers import BankId, Uscc

from enclave.authority.ledger import check_budgets
from enclave.authority.trust import Trust


@dataclass(frozen=True, slots=True)
class Telling:
    """What is about to be told, to whom, on whose consent."""

    kind: DisclosureKind
    enterprise: str
    bank: str
    basis: str
    """Hex digest of the opt-in or authorization."""
    centibits: int
    total_centibits: int
    """Of these, what is new to all banks together: 0 for what another bank was told before, word for word."""
    snapshot: str
    as_of: str


def charge_telling(
    connection: sqlite3.Connection, trust: Trust, telling: Telling, disclosure_id: str, now: int
) -> None:
    """Inside the transaction that tells. Raises `Refused` when a budget does not cover it."""
    check_budgets(connection, trust, telling.enterprise, telling.bank, telling.centibits, now, telling.total_centibits)
    connection.execute(
        "INSERT INTO disclosure (disclosure_id, enterprise, bank, kind, basis, centibits, total_centibits, charged_at,"
        " snapshot, as_of) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            disclosure_id, telling.enterprise, telling.bank, telling.kind, telling.basis, telling.centibits,
            telling.total_centibits, now, telling.snapshot, telling.as_of,
        ),
    )  # fmt: skip


def receipts_of(
    connection: sqlite3.Connection, trust: Trust, enterprise: str, before: int, count: int
) -> tuple[list[str], int | None]:
    """Signed receipts, newest first, with sequence below `before`; and where the next page begins, if any."""
    rows = connection.execute(
        "SELECT sequence, disclosure_id, charged_at, enterprise, bank, kind, basis, centibits, snapshot, as_of"
        " FROM disclosure WHERE enterprise = ? AND sequence < ? ORDER BY sequence DESC LIMIT ?",
        (enterprise, before, count + 1),
    ).fetchall()
    following = rows[count - 1][0] if len(rows) > count else None
    return [
        Disclosure(
            trust.enclave_id, name, at, Uscc(who), BankId(bank), DisclosureKind(kind), basis, centibits, snapshot, as_of
        ).sign(trust.receipt_key)
        for _, name, at, who, bank, kind, basis, centibits, snapshot, as_of in rows[:count]
    ], following
