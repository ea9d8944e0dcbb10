"""Keeping and listing copies. Call the changing functions only with what an enclave has just confirmed."""

from typing import Final

from sqlalchemy import tuple_, update
from sqlmodel import Session, col, select
from xinyidai.authorization import Authorization, authorization_digest
from xinyidai.identifiers import BankId, Uscc

from server.authorizations.models import State, StoredAuthorization
from server.db.base import insert_or_update
from server.paging import Page, Position

RENEWAL_SECONDS: Final = 30 * 86_400


def keep_authorization(
    session: Session,
    token: str,
    authorization: Authorization,
    state: State,
    now: int,
    place: tuple[int, str] | None = None,
) -> str:
    """Keep a copy and return its digest. Submitting again takes over the reported state; revoked stays revoked.

    `place`: (index, name) of its status list.
    """
    digest = authorization_digest(token)
    row = {
        "digest": digest,
        "token": token,
        "enterprise": authorization.enterprise,
        "bank": authorization.bank,
        "state": str(state),
        "expires_at": authorization.expires_at,
        "submitted_at": now,
        "status_index": place[0] if place else None,
        "status_uri": place[1] if place else None,
    }
    taken = ("state", "status_index", "status_uri")
    insert_or_update(session, StoredAuthorization, row, "digest", taken, state=str(State.REVOKED))
    return digest


def note_state(session: Session, digest: str, enterprise: Uscc, state: State) -> None:
    """Reports of two statements may arrive in either order; revoked is final whatever the order."""
    session.execute(
        update(StoredAuthorization)
        .where(
            col(StoredAuthorization.digest) == digest,
            col(StoredAuthorization.enterprise) == enterprise,
            col(StoredAuthorization.state) != State.REVOKED,
        )
        .values(state=str(state))
    )


def note_replaced(session: Session, authorization: Authorization) -> None:
    """An enclave that has accepted a narrower authorization has ended the one it names as its parent."""
    if authorization.parent is not None:
        note_state(session, authorization.parent, authorization.enterprise, State.REVOKED)


def list_authorizations(
    session: Session, bank: BankId, enterprise: Uscc | None, page: Page
) -> tuple[list[StoredAuthorization], Position | None]:
    """A page of the authorizations that name `bank`, newest first, and where the next page begins."""
    key = (col(StoredAuthorization.submitted_at), col(StoredAuthorization.digest))
    query = select(StoredAuthorization).where(StoredAuthorization.bank == bank)
    if enterprise is not None:
        query = query.where(StoredAuthorization.enterprise == enterprise)
    if page.after is not None:
        query = query.where(tuple_(*key) < (page.after.at, page.after.key))
    query = query.order_by(key[0].desc(), key[1].desc()).limit(page.size + 1)
    rows = list(session.exec(query))
    if len(rows) <= page.size:
        return rows, None
    last = rows[page.size - 1]
    return rows[: page.size], Position(last.submitted_at, last.digest)


def state_at(copy: StoredAuthorization, now: int) -> State:
    """Revoked stays revoked; anything else ends when its time does."""
    state = State(copy.state)
    return state if state is State.REVOKED or now < copy.expires_at else State.EXPIRED


def is_renewal_due(copy: StoredAuthorization, now: int) -> bool:
    """Whether it is in force and ends within 30 days."""
    return state_at(copy, now) in (State.ACTIVE, State.PAUSED) and copy.expires_at - now <= RENEWAL_SECONDS
