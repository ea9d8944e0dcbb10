"""Asks an enclave for its board and names what is on it. Nothing is kept: the board belongs to a snapshot."""

import asyncio
from dataclasses import dataclass

from xinyidai.catalogue import Catalogue, CatalogueError, parse_catalogue
from xinyidai.quality import MEASURES, Cell
from xinyidai.v1 import catalogue_pb2, enclave_pb2

from server.enclaves import Enclaves
from server.errors import EnclaveUnavailable


@dataclass(frozen=True, slots=True)
class Board:
    snapshot: str
    as_of: str
    least_enterprises: int
    cells: tuple[Cell, ...]

    @property
    def totals(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if not cell.source and not cell.month)

    def of(self, category: str) -> tuple[Cell, ...]:
        """By source and month, without the total."""
        found = [cell for cell in self.cells if cell.category == category and cell.month]
        return tuple(sorted(found, key=lambda cell: (cell.source, cell.month)))


class QualityService:
    def __init__(self, enclaves: Enclaves) -> None:
        self._enclaves = enclaves
        self._known: tuple[bytes, Catalogue] | None = None

    async def board(self) -> Board:
        """Raises `Refused`."""
        answer = await self._enclaves.quality()
        return Board(
            answer.snapshot_id, answer.as_of, answer.least_enterprises, tuple(_cell(cell) for cell in answer.cells)
        )

    async def catalogue(self) -> Catalogue:
        """Raises `Refused`."""
        answer = await self._enclaves.catalogue(catalogue_pb2.GetCatalogueRequest())
        if self._known is None or self._known[0] != answer.digest:
            try:
                parsed = await asyncio.to_thread(parse_catalogue, answer.document)
            except CatalogueError as error:
                raise EnclaveUnavailable("the enclave's catalogue cannot be read") from error
            self._known = (answer.digest, parsed)
        return self._known[1]


def _cell(wire: enclave_pb2.QualityCell) -> Cell:
    shares = {name: float(getattr(wire, name)) for name in MEASURES if wire.HasField(name)}
    return Cell(wire.category, wire.source, wire.month, wire.rows, wire.enterprises, shares)
