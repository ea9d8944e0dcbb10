"""Sessions: a random token in the browser, its digest here, an end by idleness and an end in any case."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, or_, update
from sqlmodel import Session, col

from server.accounts.errors import NotAllowed, SessionMissing
from server.accounts.models import AccountRole, AccountSession
from server.accounts.rules import AccountRules, digest_of


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is signed in."""

    role: AccountRole
    holder: str
    method: str
    csrf: str = field(repr=False)
    """What a form of this session must send back."""


def open_session(
    session: Session, role: AccountRole, holder: str, method: str, replaced: str | None, now: int, rules: AccountRules
) -> str:
    """The token of a new session. `replaced`: the token the browser came with; it is worth nothing afterwards, whoever
    had put it there. Sessions that ended are removed."""
    token = secrets.token_urlsafe(32)
    ended = or_(col(AccountSession.until) <= now, col(AccountSession.seen_at) <= now - rules.idle)
    session.execute(delete(AccountSession).where(ended))
    if replaced is not None:
        close_session(session, replaced)
    row = {
        "digest": digest_of(token),
        "role": str(role),
        "holder": holder,
        "method": method,
        "created_at": now,
        "seen_at": now,
        "until": now + rules.absolute,
    }
    session.execute(insert(AccountSession).values(**row))
    return token


def use_session(session: Session, token: str, now: int, rules: AccountRules) -> Principal:
    """Who it is, and the session's idleness begins anew. Raises `SessionMissing`."""
    found = session.execute(
        update(AccountSession)
        .where(
            col(AccountSession.digest) == digest_of(token),
            col(AccountSession.until) > now,
            col(AccountSession.seen_at) > now - rules.idle,
        )
        .values(seen_at=now)
        .returning(col(AccountSession.role), col(AccountSession.holder), col(AccountSession.method))
    ).first()
    if found is None:
        raise SessionMissing
    role, holder, method = found
    return Principal(AccountRole(role), holder, method, csrf_token(token))


def close_session(session: Session, token: str) -> None:
    session.execute(delete(AccountSession).where(col(AccountSession.digest) == digest_of(token)))


def close_sessions_of(session: Session, role: AccountRole, holder: str) -> None:
    session.execute(
        delete(AccountSession).where(col(AccountSession.role) == role, col(AccountSession.holder) == holder)
    )


def csrf_token(token: str) -> str:
    """Follows from the session's token and does not tell it."""
    return hmac.new(token.encode(), b"xinyidai form", hashlib.sha256).hexdigest()


def check_csrf(principal: Principal, sent: str) -> None:
    """Raises `NotAllowed`."""
    if not hmac.compare_digest(principal.csrf.encode(), sent.encode()):
        raise NotAllowed("表单已过期,请刷新页面后重试 / the form is out of date; reload the page and try again")
