"""The rules of what is carried, each call one named transaction of its caller. Nothing here can read a list."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, insert, update
from sqlmodel import Session, col, or_, select
from xinyidai.demands import DemandAction
from xinyidai.market import DemandState

from server.banks.models import Bank
from server.db.base import insert_or_ignore
from server.market.models import Demand, DemandVersion
from server.whitelist.errors import ListNotReady, NotSubscribed
from server.whitelist.models import CarriedDemand, ListOptIn, ListSubscription

_CARRIED: Final = (DemandAction.POST, DemandAction.CHANGE, DemandAction.WITHDRAW, DemandAction.ACCEPT)
_OPEN: Final = (
    DemandState.POSTED, DemandState.MATCHING, DemandState.ASSIGNED, DemandState.OFFERED, DemandState.DECLINED
)  # fmt: skip
_NOTHING: Final = {"parts": "", "expires_at": 0}


@dataclass(frozen=True, slots=True)
class StoredList:
    version: int
    parts: tuple[str, ...]
    made_at: int
    expires_at: int


def note_subscription(session: Session, bank: str, enclave: str, subscribed: bool) -> None:
    """Call with what the enclave confirmed. A list sealed to an earlier key goes."""
    row = {
        "bank": bank,
        "enclave": enclave,
        "subscribed": subscribed,
        "due": True,
        "version": 0,
        "made_at": 0,
        **_NOTHING,
    }
    insert_or_ignore(session, ListSubscription, [row])
    session.execute(
        update(ListSubscription)
        .where(col(ListSubscription.bank) == bank, col(ListSubscription.enclave) == enclave)
        .values(subscribed=subscribed, due=True, **_NOTHING)
    )


def note_opt_in(session: Session, enterprise: str, enclave: str, listed: bool, now: int) -> None:
    """Call with what the enclave confirmed. After an opt-in the enterprise's open demands are carried; after an opt-out
    every list that stands goes, so that none with the enterprise is handed out any more."""
    row = {"enterprise": enterprise, "enclave": enclave, "listed": listed, "changed_at": now}
    insert_or_ignore(session, ListOptIn, [row])
    session.execute(
        update(ListOptIn)
        .where(col(ListOptIn.enterprise) == enterprise, col(ListOptIn.enclave) == enclave)
        .values(listed=listed, changed_at=now)
    )
    mark_due(session, enclave)
    if not listed:
        session.execute(update(ListSubscription).where(col(ListSubscription.enclave) == enclave).values(**_NOTHING))
        return
    query = (
        select(DemandVersion.document)
        .join(Demand, col(Demand.demand_id) == col(DemandVersion.demand_id))
        .where(Demand.enterprise == enterprise, col(Demand.state).in_(_OPEN), col(Demand.expires_at) > now)
        .order_by(col(DemandVersion.posted_at), col(DemandVersion.demand_id), col(DemandVersion.version))
    )
    _carry(session, [enclave], session.exec(query).all())


def carry_demand(session: Session, enterprise: str, action: DemandAction, raw: str) -> None:
    """Inside the market's transaction: what an enterprise on the white list signed goes to the enclave it is listed
    at."""
    if action not in _CARRIED:
        return
    query = select(ListOptIn.enclave).where(ListOptIn.enterprise == enterprise, col(ListOptIn.listed))
    _carry(session, session.exec(query).all(), [raw])


def _carry(session: Session, enclaves: Sequence[str], documents: Sequence[str]) -> None:
    rows = [{"enclave": enclave, "document": raw} for enclave in enclaves for raw in documents]
    if rows:
        session.execute(insert(CarriedDemand), rows)


def waiting_demands(session: Session, enclave: str, most: int) -> list[CarriedDemand]:
    query = select(CarriedDemand).where(CarriedDemand.enclave == enclave).order_by(col(CarriedDemand.number))
    return list(session.exec(query.limit(most)))


def arrived(session: Session, enclave: str, number: int) -> None:
    """The enclave has taken the document, or has said why it does not."""
    session.execute(delete(CarriedDemand).where(col(CarriedDemand.number) == number))
    mark_due(session, enclave)


def mark_due(session: Session, enclave: str, bank: str | None = None) -> None:
    """One bank's list, or every one of the enclave."""
    of_bank = [] if bank is None else [col(ListSubscription.bank) == bank]
    where = (col(ListSubscription.enclave) == enclave, *of_bank)
    session.execute(update(ListSubscription).where(*where).values(due=True))


def due_banks(session: Session, enclave: str, made_before: int) -> list[str]:
    """Registered banks whose list must be made anew, or that have none."""
    query = select(ListSubscription.bank).join(Bank, col(Bank.bank_id) == col(ListSubscription.bank))
    query = query.where(
        col(Bank.enabled),
        ListSubscription.enclave == enclave,
        col(ListSubscription.subscribed),
        or_(col(ListSubscription.due), col(ListSubscription.made_at) <= made_before),
    )
    return list(session.exec(query.order_by(col(ListSubscription.made_at))))


def take_due(session: Session, bank: str, enclave: str) -> None:
    """Before the list is asked for: whatever changes from here on makes it due again."""
    session.execute(
        update(ListSubscription)
        .where(col(ListSubscription.bank) == bank, col(ListSubscription.enclave) == enclave)
        .values(due=False)
    )


def keep_list(session: Session, bank: str, enclave: str, made: StoredList) -> None:
    """In place of an older version only, whatever the order in which two arrive."""
    session.execute(
        update(ListSubscription)
        .where(
            col(ListSubscription.bank) == bank,
            col(ListSubscription.enclave) == enclave,
            col(ListSubscription.subscribed),
            col(ListSubscription.version) < made.version,
        )
        .values(
            version=made.version,
            parts=json.dumps(list(made.parts)),
            made_at=made.made_at,
            expires_at=made.expires_at,
        )
    )


def newest_list(session: Session, bank: str, now: int) -> StoredList:
    """Raises `NotSubscribed`, `ListNotReady`."""
    query = select(ListSubscription).where(ListSubscription.bank == bank, col(ListSubscription.subscribed))
    found = session.exec(query.order_by(col(ListSubscription.version).desc())).first()
    if found is None:
        raise NotSubscribed()
    if not found.parts or found.expires_at <= now:
        raise ListNotReady()
    return StoredList(found.version, tuple(json.loads(found.parts)), found.made_at, found.expires_at)
