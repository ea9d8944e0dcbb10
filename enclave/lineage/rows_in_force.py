"""Keeps the rows of enterprises in step with what is left out of them, between one snapshot and the next."""

import asyncio
import sqlite3
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from xinyidai.identifiers import Uscc
from xinyidai.reasons import Reason

from enclave.authority import revisions
from enclave.authority.disputes import LeftOut, left_out
from enclave.authority.revisions import RowsOutdated
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.matrix import Matrix, SnapshotError

log = structlog.get_logger("enclave.lineage")


class RowDesk:
    """Computes one row at a time. `data`: the enclave's folder, with the snapshots and the vault in it."""

    def __init__(self, data: Path, trust: Trust, environment: Environment, store: Store) -> None:
        self._data, self._trust, self._environment, self._store = data, trust, environment, store
        self._turn = asyncio.Lock()

    async def bring_up(self, enterprises: Iterable[str], matrix: Matrix) -> None:
        """Compute the rows that a snapshot does not account for. Raises `Refused` when the records are gone: then
        nobody gets a row of these enterprises until the next snapshot, rather than one with a record that must be left
        out."""
        async with self._turn:
            for enterprise in enterprises:
                await self._bring_up(Uscc(enterprise), matrix)

    async def row(self, enterprise: str, matrix: Matrix) -> NDArray[np.uint16]:
        """The row an assessment would use now. Raises `Refused`."""
        place = (enterprise, matrix.snapshot_id, matrix.accounted)
        try:
            found = await self._store.run(revisions.row_in_force, *place)
        except RowsOutdated:
            await self.bring_up([enterprise], matrix)
            found = await self._store.run(revisions.row_in_force, *place)
        return cells_in_force(matrix, enterprise, found)

    async def catch_up(self, matrix: Matrix) -> None:
        """Whatever is outdated, such as after a decision; what cannot be computed is logged, and stays withheld."""
        place = (matrix.snapshot_id, matrix.accounted)
        await self._store.run(revisions.drop_rows, *place)
        for enterprise in await self._store.run(revisions.outdated, *place):
            try:
                await self.bring_up([enterprise], matrix)
            except Refused as error:
                log.error("a row cannot be computed; load again", problem=str(error))
                return

    async def _bring_up(self, enterprise: Uscc, matrix: Matrix) -> None:
        place = (enterprise, matrix.snapshot_id, matrix.accounted)
        try:
            await self._store.run(revisions.row_in_force, *place)
            return
        except RowsOutdated:
            out = await self._store.run(left_out, self._environment, enterprise)
        row = await asyncio.to_thread(self._compute, enterprise, matrix, out)
        kept = row.astype(np.uint16).tobytes()
        await self._store.run(revisions.keep_row, enterprise, matrix.snapshot_id, out.change, kept)

    def _compute(self, enterprise: Uscc, matrix: Matrix, out: LeftOut) -> NDArray[np.uint16]:
        if enterprise not in matrix:
            return matrix.row(enterprise)
        # Loaded here: whoever only assesses needs no query engine.
        from enclave.lineage.origin import OriginGone, read_origin
        from enclave.lineage.recompute import recompute_row
        from enclave.records.engine import EngineError, EngineExhausted
        from enclave.records.errors import RecordsError
        from enclave.records.vault import VaultError

        try:
            source = read_origin(self._data / "snapshots", matrix.snapshot_id).open(
                self._data / "vault", self._environment
            )
            as_of, catalogue = date.fromisoformat(matrix.as_of), self._trust.catalogue
            base = np.array(matrix.row(enterprise))
            return recompute_row(source, catalogue, enterprise, as_of, out.disputed, out.categories, base)
        except (OriginGone, RecordsError, VaultError, EngineError, EngineExhausted) as error:
            message = (
                "what is left out of this enterprise's records has changed; it is assessed again after the next load"
            )
            raise Refused(Reason.FEATURES_OUTDATED, message) from error


def cells_in_force(matrix: Matrix, enterprise: str, row: revisions.Row) -> NDArray[np.uint16]:
    """The cells of a row as `revisions.row_in_force` found it."""
    return matrix.row(enterprise) if row.cells is None else cells_of(row.cells)


def row_now(connection: sqlite3.Connection, matrix: Matrix, enterprise: str) -> NDArray[np.uint16]:
    """The row an assessment would use, without computing anything. Raises `SnapshotError` when it has yet to be
    computed."""
    try:
        found = revisions.row_in_force(connection, enterprise, matrix.snapshot_id, matrix.accounted)
    except RowsOutdated:
        raise SnapshotError(
            "the row of this enterprise is being computed anew; the service must run for that"
        ) from None
    return cells_in_force(matrix, enterprise, found)


def cells_of(raw: bytes) -> NDArray[np.uint16]:
    """A row as the authority keeps it."""
    found: NDArray[Any] = np.frombuffer(raw, np.uint16)
    return found
