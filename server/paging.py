"""Pages by key: newest first, resumed behind the last row of the page before, so that new rows never shift a page."""

import re
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import tuple_
from sqlmodel import Session
from sqlmodel.sql.expression import SelectOfScalar

from server.errors import RequestInvalid

Row = TypeVar("Row")

_TOKEN: Final = re.compile(r"(0|[1-9][0-9]{0,17})-([0-9a-f]{1,64})")
DEFAULT_SIZE: Final = 100


@dataclass(frozen=True, slots=True)
class Position:
    """The sort key of a row: when it was stored (seconds since 1970-01-01 UTC), then its hex id."""

    at: int
    key: str

    def token(self) -> str:
        return f"{self.at}-{self.key}"


@dataclass(frozen=True, slots=True)
class Page:
    """What a caller asked for."""

    size: int
    after: Position | None


def parse_page(raw_size: int, raw_token: str, most: int) -> Page:
    """Size 0 means 100. Raises `RequestInvalid`."""
    if not 0 <= raw_size <= most:
        raise RequestInvalid(f"page_size is 1 to {most}, or 0 for {DEFAULT_SIZE}")
    if not raw_token:
        return Page(raw_size or DEFAULT_SIZE, None)
    match = _TOKEN.fullmatch(raw_token)
    if match is None:
        raise RequestInvalid("page_token is what the last page returned")
    return Page(raw_size or DEFAULT_SIZE, Position(int(match[1]), match[2]))


def newest_first(
    session: Session, query: SelectOfScalar[Row], at: Any, key: Any, page: Page
) -> tuple[list[Row], Position | None]:
    """One page of a query by its columns of time and id, and where the next begins; None behind the last."""
    if page.after is not None:
        query = query.where(tuple_(at, key) < (page.after.at, page.after.key))
    rows = list(session.exec(query.order_by(at.desc(), key.desc()).limit(page.size + 1)))
    if len(rows) <= page.size:
        return rows, None
    last = rows[page.size - 1]
    return rows[: page.size], Position(getattr(last, at.key), getattr(last, key.key))
