"""The enclave's evaluation in this process instead of worker processes: the same functions, without the pool."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import builtin_catalogue
from xinyidai.framing import FrameKind, decode_seeded, encode_answer
from xinyidai.seal import expand

from enclave.authority.deadlines import DEFAULT_RULE, deadline_rule
from enclave.authority.disputes import dispute_key
from enclave.authority.epochs import current_epoch
from enclave.authority.models import model_frames
from enclave.authority.store import Store
from enclave.authority.trees import TreeStore
from enclave.authority.trust import Trust
from enclave.environment import SoftwareEnvironment
from enclave.lineage.answer import LineageDesk
from enclave.lineage.rows_in_force import RowDesk
from enclave.matrix import SnapshotStore
from enclave.objections import ObjectionDesk
from enclave.own_data.desk import OwnDataDesk
from enclave.scoring.evaluator import Job
from enclave.scoring.linear import PreparedModel, evaluate, prepare
from enclave.scoring.masking import expand_mask
from enclave.scoring.tree_files import expand_upload
from enclave.service import Deadlines, EnclaveService
from enclave.whitelist.lists import ListRules
from tests.support.authority import FIRST_SNAPSHOT, USCC


class InProcessEvaluator:
    """An `enclave.scoring.evaluator.Evaluator`. `fail_next` makes the next evaluation die, as a power cut would."""

    def __init__(self, frames: Callable[[str], Awaitable[tuple[bytes, bytes]]]) -> None:
        self._frames = frames
        self._models: dict[str, PreparedModel] = {}
        self.fail_next = False

    async def check(self, weights: bytes, zero: bytes) -> None:
        self._prepare(weights, zero)

    async def check_trees(self, folder: Path) -> None:
        expand_upload(folder)

    async def evaluate(self, jobs: Sequence[Job]) -> list[bytes]:
        if self.fail_next:
            self.fail_next = False
            raise ConnectionResetError("the machine lost power")
        return [await self._one(job) for job in jobs]

    async def close(self) -> None:
        self._models.clear()

    async def _one(self, job: Job) -> bytes:
        if job.model_id not in self._models:
            self._models[job.model_id] = self._prepare(*await self._frames(job.model_id))
        model = self._models[job.model_id]
        parameters = model.parameters
        mask = expand_mask(job.mask_key, parameters, parameters.flood_bound(job.precision_points))
        return encode_answer(evaluate(model, job.active, mask))

    def _prepare(self, weights: bytes, zero: bytes) -> PreparedModel:
        w, p = decode_seeded(weights, FrameKind.WEIGHTS), decode_seeded(zero, FrameKind.ZERO)
        return prepare(w.parameters, expand(w), expand(p))


class Clock(SoftwareEnvironment):
    """The software environment with a clock the test sets."""

    now = 1_790_000_000

    def clock(self) -> int:
        return self.now


def load_snapshot(store: SnapshotStore, row: NDArray[np.uint16], as_of: str = FIRST_SNAPSHOT.as_of) -> str:
    """A snapshot with the one enterprise, cells of its features in catalogue order."""
    return store.write(date.fromisoformat(as_of), np.array([USCC.encode()]), row[None, :])


async def build_service(
    folder: Path, trust: Trust, row: NDArray[np.uint16]
) -> tuple[EnclaveService, InProcessEvaluator]:
    """The enclave's service over a database and a snapshot in `folder`, at no fixed deadline."""
    key = folder / "sealing.key"
    if not key.exists():
        key.touch(mode=0o600)
        key.write_bytes(bytes(range(32)))
    environment = Clock(key)
    snapshots = SnapshotStore(folder / "snapshots", builtin_catalogue())
    load_snapshot(snapshots, row)
    store = Store(folder / "authority.sqlite")

    async def frames(model_id: str) -> tuple[bytes, bytes]:
        return await store.run(model_frames, model_id)

    evaluator = InProcessEvaluator(frames)
    epoch = await store.run(current_epoch, environment)
    key_of_disputes = await store.run(dispute_key, environment)
    desk = LineageDesk(folder, trust, environment, key_of_disputes)
    own_data = OwnDataDesk(folder, trust, environment, key_of_disputes.public)
    trees = TreeStore(folder / "trees")
    service = EnclaveService(
        trust, store, snapshots, environment, evaluator, epoch, trees, Deadlines(), desk, ListRules(),
        RowDesk(folder, trust, environment, store),
        ObjectionDesk(store, trust, environment, deadline_rule(DEFAULT_RULE)),
        own_data,
    )  # fmt: skip
    await service.transparency.open()
    return service, evaluator
