"""The double-entry ledger of risk sharing: every fen that goes into an account comes out of another."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert
from sqlmodel import Session, col, select

from server.db.base import insert_if_new, insert_or_ignore, take_row
from server.risk.errors import FundShort
from server.risk.models import RiskAccount, RiskEntry, RiskPosting


@dataclass(frozen=True, slots=True)
class Account:
    kind: str
    holder: str = ""

    def name(self, scheme_id: str) -> str:
        return f"{scheme_id}/{self.kind}/{self.holder}"


def book(session: Session, scheme_id: str, kind: str, reference: str, amounts: Mapping[Account, int], now: int) -> bool:
    """One entry. False, and nothing booked, when the reference was booked before.

    Amounts of 0 are left out. Raises `ValueError` unless the amounts sum to 0 and two at least are not 0; `FundShort`
    when a fund would fall below 0.
    """
    moved = {account: amount for account, amount in amounts.items() if amount}
    if sum(moved.values()) != 0 or len(moved) < 2:
        raise ValueError("an entry takes from one account what it gives to another")
    if session.exec(select(RiskEntry.entry_id).where(RiskEntry.reference == reference)).first() is not None:
        return False
    entry_id = secrets.token_hex(16)
    # In the order of their names, so that no two entries wait for each other.
    for account in sorted(moved, key=lambda found: found.name(scheme_id)):
        _move(session, scheme_id, account, moved[account])
        posting = {"entry_id": entry_id, "account_id": account.name(scheme_id), "amount_fen": moved[account]}
        session.execute(insert(RiskPosting), [posting])
    row = {"entry_id": entry_id, "scheme_id": scheme_id, "kind": kind, "reference": reference, "at": now}
    if not insert_if_new(session, RiskEntry, row):
        raise RuntimeError("this reference is being booked by somebody else; try again")
    return True


def balances(session: Session, scheme_id: str) -> list[RiskAccount]:
    """Every account of a scheme, by name; together 0."""
    query = select(RiskAccount).where(RiskAccount.scheme_id == scheme_id).order_by(col(RiskAccount.account_id))
    return list(session.exec(query.execution_options(populate_existing=True)))


def _move(session: Session, scheme_id: str, account: Account, amount: int) -> None:
    name = account.name(scheme_id)
    empty = {"account_id": name, "scheme_id": scheme_id, "kind": account.kind, "holder": account.holder}
    insert_or_ignore(session, RiskAccount, [{**empty, "balance_fen": 0}])
    covered = (col(RiskAccount.balance_fen) + amount >= 0,) if account.kind == "fund" else ()
    after = col(RiskAccount.balance_fen) + amount
    if not take_row(session, RiskAccount, col(RiskAccount.account_id) == name, *covered, balance_fen=after):
        raise FundShort(account.holder)
