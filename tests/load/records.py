"""`make bench-records`: records a second of each stage and peak memory, for two cities of which one is twice the other.

Delivery over the wire is measured on one category's share, through the department's own program and the real process.
Prints; asserts nothing. Every city is measured in a process of its own, so that its peak memory is its own.
`XYD_BENCH_RECORDS` sets the enterprises of the larger city and `XYD_BENCH_MONTHS` how long its history is: 100 000 over
96 months are 50 million records, as are 164 000 over 48.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from xinyidai.catalogue import builtin_catalogue
from xinyidai.identifiers import parse_enclave_id

from clients.dev.deployment import ENCLAVE_ID
from clients.uploader import pack_file
from enclave.features.build import build_snapshot
from enclave.features.prints import made_with, take_prints
from enclave.features.refresh import refresh_cells
from enclave.features.values import opened_tables
from enclave.matrix import SnapshotStore
from enclave.records.intake.intake import take_batch
from tests.support.departments import RunningDomain
from tests.support.ingest import Domain, packed

LARGER: Final = int(os.environ.get("XYD_BENCH_RECORDS", "40000"))
MONTHS: Final = os.environ.get("XYD_BENCH_MONTHS", "48")
AS_OF: Final = date(2026, 10, 31)
BATCH_ROWS: Final = 1_000_000
TOTAL: Final = "folder to snapshot"
WIRE_DEPARTMENT: Final = "rsj"
WIRE_CATEGORY: Final = "social_insurance"
WIRE_ROWS: Final = 2_000_000


class Stopwatch:
    """Seconds by stage; a stage met again adds up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.busy: dict[str, float] = {}
        """Processor seconds of this process, which other work on the machine disturbs less."""
        self.records: dict[str, int] = {}
        """Of stages that do not handle all records."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun, worked = time.perf_counter(), time.process_time()
        yield
        self.busy[name] = self.busy.get(name, 0.0) + time.process_time() - worked
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun


def ingest(folder: Path, domain: Domain, watch: Stopwatch) -> None:
    """Every file into the vault, in batches of a million rows; packing them is the department's work."""
    for path in sorted(folder.glob("*.parquet")):
        for number, rows in enumerate(pq.ParquetFile(path).iter_batches(BATCH_ROWS)):
            table = pa.Table.from_batches([rows])
            with watch.stage("department: rows to batch"):
                header, content = packed(
                    domain.catalogue, path.stem, table, f"{path.stem.replace('_', '-')}-{number:04d}"
                )
            buffer = pa.py_buffer(content)
            with watch.stage("batch to committed vault"):
                take_batch(domain.vault, domain.catalogue, header, buffer)


def over_the_wire(folder: Path, root: Path, watch: Stopwatch) -> float:
    """One category from a department's file to the vault of the ingest process; returns that process's peak, GiB."""
    rows = pq.read_table(folder / f"{WIRE_CATEGORY}.parquet").slice(0, WIRE_ROWS)
    file = root / f"{WIRE_CATEGORY}.parquet"
    pq.write_table(rows, file)
    packing, sending = "wire: file to signed batches", "wire: batches to committed vault"
    watch.records |= {packing: rows.num_rows, sending: rows.num_rows}
    domain = RunningDomain(root / "running")
    try:
        name = domain.credentials(WIRE_DEPARTMENT).department
        with watch.stage(packing):
            batches = list(pack_file(file, WIRE_CATEGORY, builtin_catalogue(), name, [parse_enclave_id(ENCLAVE_ID)]))
        with watch.stage(sending), domain.uploader(WIRE_DEPARTMENT) as uploader:
            for batch in batches:
                uploader.deliver(batch)
        status = Path(f"/proc/{domain.system.ingest.pid}/status").read_text()
    finally:
        domain.close()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024**2


def measure(folder: Path, root: Path) -> Stopwatch:
    """Every stage of one city."""
    watch, catalogue = Stopwatch(), builtin_catalogue()
    with ExitStack() as stack:
        with watch.stage("read, check, deduplicate"):
            opened = stack.enter_context(opened_tables(folder, catalogue, AS_OF, None, ()))
        with watch.stage("fingerprints"):
            prints = take_prints(opened.engine, opened.tables, made_with(catalogue.digest), None)
        with watch.stage("features and cells"):
            refresh_cells(catalogue, opened, prints, None)
    store = SnapshotStore(root / "snapshots", catalogue)
    with watch.stage(TOTAL):
        build_snapshot(folder, catalogue, store, AS_OF)
    with watch.stage("the same again, nothing changed"):
        build_snapshot(folder, catalogue, store, AS_OF)
    domain = Domain.create(root / "domain")
    ingest(folder, domain, watch)
    with watch.stage("vault to snapshot"):
        build_snapshot(domain.vault.snapshot(), catalogue, SnapshotStore(root / "vaulted", catalogue), AS_OF)
    return watch


def child(enterprises: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        made = [sys.executable, "-m", "clients.city", "--out", str(root / "records"), "--as-of", AS_OF.isoformat()]
        subprocess.run(
            [*made, "--enterprises", str(enterprises), "--seed", "1", "--months", MONTHS],
            check=True,
            capture_output=True,
        )
        records = sum(pq.read_metadata(path).num_rows for path in (root / "records").glob("*.parquet"))
        watch = measure(root / "records", root)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        ingest_peak = over_the_wire(root / "records", root, watch)
    peaks = {"peak": peak, "ingest_peak": ingest_peak}
    print(json.dumps({"records": records, "own": watch.records, "seconds": watch.seconds, "busy": watch.busy, **peaks}))


def main() -> None:
    found = []
    for enterprises in (LARGER // 2, LARGER):
        command = [sys.executable, "-m", "tests.load.records", str(enterprises)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout))
    small, large = found
    print(f"{'stage':34}{small['records']:>16,} records{large['records']:>20,} records{'time x':>9}{'cpu x':>7}")
    for stage, seconds in large["seconds"].items():
        before, busy = small["seconds"][stage], large["busy"][stage] / small["busy"][stage]
        rates = [f"{one['own'].get(stage, one['records']) / one['seconds'][stage]:>11,.0f}/s" for one in found]
        print(f"{stage:34}{before:8.2f} s {rates[0]} {seconds:10.2f} s {rates[1]} {seconds / before:8.2f}{busy:7.2f}")
    print(f"{'peak memory':34}{small['peak']:8.2f} GiB{large['peak']:24.2f} GiB")
    print(f"{'peak memory of xyd-ingest':34}{small['ingest_peak']:8.2f} GiB{large['ingest_peak']:24.2f} GiB")
    print(f"records x {large['records'] / small['records']:.2f}; {os.cpu_count()} cores")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(int(sys.argv[1]))
    else:
        main()
