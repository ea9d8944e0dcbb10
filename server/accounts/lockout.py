"""Failures to sign in, and the pause they bring.

Counted for an account *from an address*: else anybody could lock an enterprise out by failing in its name.
"""

from sqlalchemy import case, delete
from sqlmodel import Session, col

from server.accounts.errors import RateLimited
from server.accounts.models import Failure
from server.accounts.rules import AccountRules, digest_of
from server.db.base import insert_statement


def failure_key(kind: str, account: str, address: str) -> str:
    return digest_of("\n".join((kind, account, address)))


def check_not_locked(session: Session, key: str, now: int) -> None:
    """Raises `RateLimited`."""
    found = session.get(Failure, key)
    if found is not None and found.locked_until > now:
        raise RateLimited(found.locked_until - now)


def note_failure(session: Session, key: str, now: int, rules: AccountRules) -> None:
    """One atomic statement: count, and lock when there are too many."""
    session.execute(delete(Failure).where(col(Failure.since) < now - rules.window, col(Failure.locked_until) <= now))
    first = {"key": key, "failures": 1, "since": now, "locked_until": 0}
    statement = insert_statement(session, Failure).values(**first)
    counted = col(Failure.failures) + 1
    locked = case((counted >= rules.failures, now + rules.lock), else_=col(Failure.locked_until))
    session.execute(
        statement.on_conflict_do_update(index_elements=["key"], set_={"failures": counted, "locked_until": locked})
    )


def forget_failures(session: Session, key: str) -> None:
    session.execute(delete(Failure).where(col(Failure.key) == key))
