"""`python -m tests.load.transparency`: how many answers a second the enclave logs durably, alone and in groups.

Through the store as the enclave uses it: one writer, every commit synced to disk before anything is answered. Each
append is a receipt's commitment; the size of a group is that of the requests a bank sends (1, 16 or 256 items).
"""

import asyncio
import os
import sqlite3
import tempfile
import time
from pathlib import Path

from xinyidai.transparency import SALT_BYTES

from enclave.authority.store import Store, transaction
from enclave.transparency import log

ENTRIES = int(os.environ.get("XYD_BENCH_ENTRIES", "20000"))
GROUPS = (1, 16, 256)
_PROOFS = 2_000


def append_group(connection: sqlite3.Connection, first: int, count: int) -> None:
    with transaction(connection, "append"):
        for number in range(first, first + count):
            log.append(connection, f"subject-{number}", f"header.{number}.signature", os.urandom(SALT_BYTES))


def prove(connection: sqlite3.Connection, size: int, count: int) -> None:
    for number in range(count):
        # A prover each, as for single questions: nothing is shared between them.
        prover = log.Prover(connection, size)
        if prover.inclusion(f"subject-{number * (size // count)}") is None:
            raise RuntimeError("an entry is missing")


def sealed(connection: sqlite3.Connection, size: int) -> None:
    """A stand for the signature, which takes as long however large the log is."""
    connection.execute("INSERT INTO log_seal VALUES (1, ?, ?, 0, '')", (size, log.range_hash(connection, (0, size))))


async def measure(folder: Path, group: int) -> None:
    store = Store(folder / f"{group}.sqlite")
    entries = ENTRIES if group > 1 else ENTRIES // 10
    start = time.perf_counter()
    for first in range(0, entries, group):
        await store.run(append_group, first, min(group, entries - first))
    took = time.perf_counter() - start
    print(f"groups of {group:>3}: {entries / took:>8,.0f} durable appends/s ({entries:,} entries)", flush=True)
    if group == 1:
        # As banks call: many at once, each alone.
        start = time.perf_counter()
        await asyncio.gather(*(store.run(append_group, first, 1) for first in range(entries, ENTRIES)))
        took = time.perf_counter() - start
        print(f"singly, waiting together: {(ENTRIES - entries) / took:>8,.0f} durable appends/s", flush=True)
        entries = ENTRIES
    await store.run(sealed, entries)
    start = time.perf_counter()
    await store.run(prove, entries, _PROOFS)
    took = time.perf_counter() - start
    print(f"               {_PROOFS / took:>8,.0f} inclusion proofs/s", flush=True)
    store.close()


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="xinyidai-log-") as folder:
        for group in GROUPS:
            asyncio.run(measure(Path(folder), group))


if __name__ == "__main__":
    main()
