"""kill -9 at random points of uploads, commits and compaction. Whatever the moment: no committed batch is lost, none is
counted twice, and no part of a batch is ever visible.

Only kills that hit a process at work count: a few in the suite, a hundred with `XYD_CAMPAIGN=long`, which says so.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from xinyidai.catalogue import builtin_catalogue

from clients.uploader import PackedBatch, UploadError
from enclave.records.vault import SegmentKind, Vault
from tests.support.departments import RunningDomain, batches_of_table
from tests.support.ingest import Domain
from tests.support.records import record_table, uscc

_LONG = os.environ.get("XYD_CAMPAIGN") == "long"
KILLS = 60 if _LONG else 3
COMPACTION_KILLS = 40 if _LONG else 4
MOST_TRIES = 3
"""For each kill that is to hit."""
CATEGORY = "social_insurance"
ROWS = 20_000
_COMPACTOR = """
import sys
from pathlib import Path
from enclave.environment import SoftwareEnvironment
from enclave.records.vault import Vault
vault = Vault(Path(sys.argv[1]), SoftwareEnvironment(Path(sys.argv[2])))
vault.recover()
print("ready", flush=True)
vault.compact(sys.argv[3])
print("done", flush=True)
"""


def packed_batch(domain: RunningDomain, number: int, folder: Path, rows: int = ROWS) -> PackedBatch:
    """Rows whose ids name their batch."""
    table = record_table(
        builtin_catalogue(),
        CATEGORY,
        [{"record_id": f"b{number}-{at}", "paid": at / 7, "uscc": uscc(at % 999)} for at in range(rows)],
    )
    (packed,) = batches_of_table(domain, "rsj", CATEGORY, table, folder)
    return packed


def holds_exactly(vault: Vault, batches: dict[str, int]) -> None:
    """`batches`: id to rows, of all that were acknowledged; one that was not may be there, and then in full."""
    manifest = vault.manifest()
    known = {batch.batch: batch for batch in manifest.batches}
    assert batches.items() <= {name: batch.taken for name, batch in known.items()}.items()
    assert len(manifest.batches) == len(known)
    table = vault.snapshot().table(CATEGORY, columns=["record_id"])
    assert table is not None
    ids = table.column(0).to_pylist()
    assert len(ids) == len(set(ids)) == sum(batch.taken for batch in known.values())


def tell(capsys: pytest.CaptureFixture[str], what: str, hits: int, tries: int, batches: int) -> None:
    if _LONG:
        with capsys.disabled():
            print(f"\n{what}: {hits} kills hit it at work, {tries - hits} came too late; {batches} batches, none lost")


def test_ingestion_survives_kill_9(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(0)
    domain = RunningDomain(tmp_path / "d")
    acknowledged: dict[str, int] = {}
    try:
        packed = packed_batch(domain, 0, tmp_path / "first")
        with domain.uploader("rsj") as uploader:
            start = time.monotonic()
            uploader.deliver(packed)
            usual = time.monotonic() - start
        acknowledged[packed.header.batch] = ROWS
        number = hits = 0
        while hits < KILLS and number < MOST_TRIES * KILLS:
            number += 1
            packed = packed_batch(domain, number, tmp_path / "next")
            killer = threading.Timer(float(generator.uniform(0, usual)), domain.crash)
            killer.start()
            try:
                with domain.uploader("rsj", timeout=20, pause=_give_up) as uploader:
                    uploader.deliver(packed)
                    acknowledged[packed.header.batch] = ROWS
            except (_GaveUp, UploadError):
                hits += 1
            killer.join()
            holds_exactly(domain.vault(), acknowledged)
            domain.restart()
            with domain.uploader("rsj") as uploader:
                assert uploader.deliver(packed).taken == ROWS
            acknowledged[packed.header.batch] = ROWS
            holds_exactly(domain.vault(), acknowledged)
        assert hits == KILLS
        assert len(domain.held(CATEGORY)) == ROWS * (number + 1)
        tell(capsys, "ingestion", hits, number, number + 1)
    finally:
        domain.close()


class _GaveUp(Exception):
    pass


def _give_up(_: float) -> None:
    raise _GaveUp


def test_compaction_survives_kill_9(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(1)
    domain = Domain.create(tmp_path / "d")
    batches: dict[str, int] = {}
    number = hits = 0
    while hits < COMPACTION_KILLS and number < MOST_TRIES * COMPACTION_KILLS:
        number += 1
        name = f"batch-{number:04d}"
        ids = [{"record_id": f"b{number}-{at}", "uscc": uscc(at % 999)} for at in range(2_000)]
        domain.take_rows(CATEGORY, ids, name)
        batches[name] = 2_000
        hits += _compact_and_kill(domain, float(generator.uniform(0, 0.06)))
        holds_exactly(domain.vault, batches)
    assert hits == COMPACTION_KILLS
    domain.vault.recover()
    domain.vault.compact(CATEGORY)
    holds_exactly(domain.vault, batches)
    tell(capsys, "compaction", hits, number, len(batches))


def _compact_and_kill(domain: Domain, delay: float) -> bool:
    """Whether it was still at work."""
    arguments = [str(domain.root / "vault"), str(domain.root / "sealing.key"), CATEGORY]
    with subprocess.Popen([sys.executable, "-c", _COMPACTOR, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    return "done" not in rest


@pytest.mark.parametrize("step", ["before", "after"])
def test_the_moment_around_the_rename(tmp_path: Path, step: str) -> None:
    """The one instant that decides, held still: just before it nothing happened, just after it everything did."""
    domain = Domain.create(tmp_path / "d")
    domain.vault.keys.derive(CATEGORY, "made once")
    code = f"""
import os, sys, signal
from pathlib import Path
import pyarrow as pa
from enclave.environment import SoftwareEnvironment
from enclave.records.vault import SegmentKind, Vault
vault = Vault(Path(sys.argv[1]), SoftwareEnvironment(Path(sys.argv[2])))
rename = Path.replace
def cut(self, target):
    if {step == "after"}:
        rename(self, target)
    os.kill(os.getpid(), signal.SIGKILL)
Path.replace = cut
table = pa.table({{"record_id": ["r1"]}})
with vault.transaction("cut short") as changes:
    with changes.new_segment(sys.argv[3], SegmentKind.TAKEN, table.schema) as writer:
        writer.write(table)
"""
    arguments = [str(domain.root / "vault"), str(domain.root / "sealing.key"), CATEGORY]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    manifest = domain.vault.manifest()
    assert [one.rows for one in manifest.live(SegmentKind.TAKEN)] == ([1] if step == "after" else [])
    assert domain.vault.recover() == (0 if step == "after" else 1)
