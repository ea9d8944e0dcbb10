"""The board as a value, and as a file beside the snapshot it is about."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

MEASURES: Final = (
    "compliance", "timeliness", "standardization", "completeness", "continuity", "coverage", "linkage",
)  # fmt: skip
LEAST_ENTERPRISES: Final = 5
"""No cell is over fewer: its row is left out altogether, and out of the totals too, so that no subtraction finds it."""
_FILE: Final = "quality.json"


@dataclass(frozen=True, slots=True)
class Cell:
    """One category, source and month. Counts are rounded to multiples of `LEAST_ENTERPRISES`."""

    category: str
    source: str
    """"" for all sources together."""
    month: int
    """yyyymm; 0 for all months of the board together."""
    rows: int
    enterprises: int
    shares: Mapping[str, float]
    """Measure to 0..1; a measure that does not apply is absent."""


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
    target = snapshots / snapshot_id / _FILE
    partial = target.with_name(f".{_FILE}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(board.encode())
        file.flush()
        os.fsync(file.fileno())
    partial.replace(target)


def read_board(snapshots: Path, snapshot_id: str) -> Board | None:
    """None for a snapshot that was made without one. Raises `ValueError` for a damaged file."""
    try:
        return decode_board((snapshots / snapshot_id / _FILE).read_bytes())
    except FileNotFoundError:
        return None
