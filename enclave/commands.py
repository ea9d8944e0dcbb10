"""What the data holder runs beside the service: making a snapshot, deciding disputes, counts of lineage."""

import asyncio
import json
from collections import Counter
from datetime import date
from pathlib import Path

from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import parse_department_id

from enclave.authority import disputes
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.features.build import LoadReport, build_snapshot
from enclave.ingest.settings import IngestSettings, departments_of
from enclave.lineage.answer import feature_of
from enclave.lineage.counts import count_lineage
from enclave.lineage.origin import Origin, read_origin, write_origin
from enclave.matrix import SnapshotStore
from enclave.quality.board import write_board
from enclave.quality.measures import measure_quality
from enclave.records.vault import Vault

_OPEN_ORDER = (disputes.OPEN, "upheld", "dismissed", "repaired", "withdrawn")


def _left_out(data: Path, environment: Environment) -> disputes.LeftOut:
    store = Store(data / "authority.sqlite")
    try:
        return asyncio.run(store.run(disputes.left_out, environment))
    finally:
        store.close()


def load(data: Path, catalogue: Catalogue, environment: Environment, records: Path | None, as_of: date) -> LoadReport:
    """Make a snapshot of the vault, or of a folder of plain files, without what is in dispute; with its board and a
    note of what it was made of."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = records or Vault(data / "vault", environment).snapshot()
    out = _left_out(data, environment)
    board = measure_quality(source, catalogue, as_of, out.disputed)
    snapshots = SnapshotStore(data / "snapshots", catalogue)
    report = build_snapshot(source, catalogue, snapshots, as_of, out.disputed, accounted=out.change)
    write_board(snapshots.root, report.snapshot_id, board)
    write_origin(snapshots.root, report.snapshot_id, Origin.of(source))
    return report


def lineage_counts(data: Path, catalogue: Catalogue, environment: Environment, code: str) -> str:
    """JSON: how many records a feature was made from, over all enterprises; no count over fewer than five of them."""
    feature = feature_of(catalogue, code)
    snapshots = SnapshotStore(data / "snapshots", catalogue)
    snapshot_id = snapshots.current_id()
    matrix = snapshots.open(snapshot_id)
    source = read_origin(snapshots.root, snapshot_id).open(data / "vault", environment)
    disputed = _left_out(data, environment).disputed
    counts = count_lineage(source, catalogue, feature, date.fromisoformat(matrix.as_of), disputed)
    return json.dumps({"feature": code, "snapshot": snapshot_id, "counts": counts}, ensure_ascii=False, indent=1)


def dispute_counts(data: Path, environment: Environment) -> str:
    """JSON: disputes by category and state."""
    store = Store(data / "authority.sqlite")
    try:
        known = asyncio.run(store.run(disputes.disputes, environment))
    finally:
        store.close()
    counted = Counter((one.record.category, one.state) for one in known)
    order = sorted(counted, key=lambda key: (key[0], _OPEN_ORDER.index(key[1])))
    return json.dumps([{"category": c, "state": s, "disputes": counted[c, s]} for c, s in order], indent=1)


def open_disputes(data: Path, environment: Environment, ingest: IngestSettings, department: str) -> str:
    """JSON, for the department that has to decide: the open disputes of the records it delivers."""
    categories = ingest.departments.get(parse_department_id(department), ())
    store = Store(data / "authority.sqlite")
    try:
        known = asyncio.run(store.run(disputes.disputes, environment))
    finally:
        store.close()
    found = [
        {
            "enterprise": one.enterprise,
            "category": one.record.category,
            "record_id": one.record.record_id,
            "opened_at": one.opened_at,
        }
        for one in known
        if one.state == disputes.OPEN and one.record.category in categories
    ]
    return json.dumps(found, ensure_ascii=False, indent=1)


def decide_dispute(data: Path, trust: Trust, environment: Environment, ingest: IngestSettings, raw: str) -> str:
    """Carry out a department's signed decision; returns the new state. It holds for every assessment after."""
    anchor = departments_of(ingest)
    now = environment.clock()
    store = Store(data / "authority.sqlite")
    try:
        done = asyncio.run(store.run(disputes.decide, trust, environment, anchor, ingest.departments, raw.strip(), now))
    finally:
        store.close()
    return done.state
