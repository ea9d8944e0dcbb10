"""Values nobody could mistake, planted where they may be, and the search for them where they may not."""

import re
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as parquet

from clients.dev.system import System

PLANTED_TEXT: Final = "QVXKESTREL"
PLANTED_NUMBER: Final = 73_918_462.25
BASE_POINTS: Final = 0x2ACD << 16
"""Added to every score of the day, so that a score cannot be mistaken for anything else."""
CARD: Final = "planted-kestrel"


def plant(records: Path) -> None:
    """Put values nobody could mistake into the records of tax payments."""
    path = records / "tax_payment.parquet"
    table = parquet.read_table(path)
    rows = table.num_rows
    texts = pa.array([f"{PLANTED_TEXT}{number}" for number in range(rows)], pa.string())
    for name in ("declared_sales", "tax_paid"):
        table = table.set_column(table.column_names.index(name), name, pa.array([PLANTED_NUMBER] * rows, pa.float64()))
    parquet.write_table(table.set_column(table.column_names.index("taxpayer_id"), "taxpayer_id", texts), path)


def planted_in(text: bytes) -> list[str]:
    """What of the planted values, of the card or of any score of the day stands in these bytes, in any usual form."""
    alone = rb"(?<![0-9A-Za-z_-])%s(?![0-9A-Za-z_-])"
    scores = (int(found) for found in re.findall(alone % rb"([0-9]{9})", text))
    forms = {
        "record text": PLANTED_TEXT.encode() in text,
        "record number": re.search(alone % str(int(PLANTED_NUMBER)).encode(), text) is not None,
        "record float": struct.pack("<d", PLANTED_NUMBER) in text or struct.pack(">d", PLANTED_NUMBER) in text,
        "card": CARD.encode() in text,
        "score": any(is_score(score) for score in scores),
        "score in binary": re.search(rb"[\x00-\x03]\xcd\x2a\x00\x00\x00\x00", text) is not None,
    }
    return [name for name, there in forms.items() if there]


def planted_cells(system: System) -> list[str]:
    """Columns of the platform's database with a number that is a score of the day, or the planted one."""
    found = []
    with database_of(system) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor:
                found += [f"{table}.{n}" for n, v in zip(names, row, strict=True) if is_score(v) or v == PLANTED_NUMBER]
    return found


def is_score(value: object) -> bool:
    """Whether a number can only be a score of the day."""
    return isinstance(value, int) and BASE_POINTS <= value < BASE_POINTS + 1024


def platform_bytes(system: System) -> dict[str, bytes]:
    """Everything an attacker finds who reads the platform's folder and logs: its own keys and certificates aside."""
    root = system.deployment.root
    files = [path for path in (root / "server").rglob("*") if path.is_file() and path.suffix not in (".pem", ".key")]
    logs = [path for path in root.rglob("server*.log") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in {*files, *logs}}


@contextmanager
def database_of(system: System) -> Iterator[sqlite3.Connection]:
    """Read only."""
    path = system.deployment.root / "server" / "data" / "server.sqlite"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        yield connection
