"""Notices to banks, numbered without gaps in the order in which they appear, so that a reader can resume anywhere."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import insert, update
from sqlmodel import Session, col, select

from server.db.base import insert_or_ignore
from server.market.models import Feed, Notice, NoticeKind


@dataclass(frozen=True, slots=True)
class News:
    bank: str
    demand_id: str
    kind: NoticeKind


def publish_news(session: Session, news: Iterable[News], now: int) -> None:
    """Call last in a transaction: a bank's feed stays locked until it ends. Banks in order, so none waits in a ring."""
    for entry in sorted(news, key=lambda n: n.bank):
        insert_or_ignore(session, Feed, [{"bank": entry.bank, "last": 0}])
        number = session.execute(
            update(Feed)
            .where(col(Feed.bank) == entry.bank)
            .values(last=col(Feed.last) + 1)
            .returning(col(Feed.last))
            .execution_options(synchronize_session=False)
        ).scalar_one()
        row = {"bank": entry.bank, "number": number, "demand_id": entry.demand_id, "kind": str(entry.kind), "at": now}
        session.execute(insert(Notice), [row])


def read_news(session: Session, bank: str, after: int, most: int) -> Sequence[Notice]:
    """The notices behind number `after`, oldest first."""
    query = select(Notice).where(Notice.bank == bank, col(Notice.number) > after)
    return session.exec(query.order_by(col(Notice.number)).limit(most)).all()
