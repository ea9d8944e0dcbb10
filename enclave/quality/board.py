"""The board as a value, and as a file beside the snapshot it is about."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from xinyidai.files import write_whole
from xinyidai.quality import Cell

LEAST_ENTERPRISES: Final = 5
"""No cell is over fewer: its row is left out altogether, and out of the totals too, so that no subtraction finds it.
Counts are rounded to multiples of it."""
_FILE: Final = "quality.json"


@dataclass(frozen=True, slots=True)
class Board:
    as_of: str
    cells: tuple[Cell, ...]

    def encode(self) -> bytes:
        cells = [asdict(cell) for cell in self.cells]
        return json.dumps({"as_of": self.as_of, "cells": cells}, ensure_ascii=False, sort_keys=True).encode()


def decode_board(raw: bytes) -> Board:
    """Raises `ValueError` for what is no board."""
    try:
        found: dict[str, Any] = json.loads(raw)
        return Board(str(found["as_of"]), tuple(Cell(**cell) for cell in found["cells"]))
    except (KeyError, TypeError) as error:
        raise ValueError("this is no quality board") from error


def write_board(snapshots: Path, snapshot_id: str, board: Board) -> None:
    """Put the board beside its snapshot, atomically."""
    write_whole(snapshots / snapshot_id / _FILE, board.encode())


def read_board(snapshots: Path, snapshot_id: str) -> Board | None:
    """None for a snapshot that was made without one. Raises `ValueError` for a damaged file."""
    try:
        return decode_board((snapshots / snapshot_id / _FILE).read_bytes())
    except FileNotFoundError:
        return None
