"""The board, made anew when it is older than the settings allow: reading it often shows nothing more."""

import asyncio
from collections.abc import Callable, Sequence

from sqlmodel import Session

from server.dashboard.board import Board, build_board
from server.dashboard.facts import Reader, read_facts
from server.db import Database


class DashboardService:
    def __init__(
        self, database: Database, clock: Callable[[], int], keep_seconds: float, readers: Sequence[Reader] = ()
    ) -> None:
        """`readers`: of more figures, counted and published by the same rules as the others."""
        self._database = database
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._readers = (read_facts, *readers)
        self._making = asyncio.Lock()
        self._board: Board | None = None

    async def board(self) -> Board:
        """Raises `StorageFailed`."""
        async with self._making:
            if self._board is None or self._clock() - self._board.made_at >= self._keep_seconds:
                self._board = await self._database.read(self._make)
            return self._board

    def _make(self, session: Session) -> Board:
        return build_board((fact for read in self._readers for fact in read(session)), self._clock())
