"""The order of an assessment: verify, charge durably, evaluate, store, and only then answer, at a fixed time."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import structlog
from xinyidai.authorization import Disclosure
from xinyidai.identifiers import BankId, Uscc
from xinyidai.parameters import PARAMETER_SETS
from xinyidai.receipt import AnswerDigest, Receipt, answer_digest

from enclave.authority import disputes, grants, ledger, models
from enclave.authority.ledger import Asked, Charged, Present, Stored
from enclave.authority.store import Store
from enclave.authority.trust import Trust
from enclave.environment import Environment, LockedBytes
from enclave.errors import Refused
from enclave.lineage.answer import LineageDesk
from enclave.matrix import CellSelector, Matrix, SnapshotStore
from enclave.quality.board import Board, read_board
from enclave.scoring.evaluator import Evaluator, Job
from enclave.scoring.masking import MaskFields, mask_key

_LOOK_SECONDS = 1.0
"""How often the enclave looks whether a new snapshot was loaded."""
log = structlog.get_logger("enclave.service")


class EnclaveService:
    """Everything the enclave does, without the wire. Composed by enclave.app.build_enclave."""

    def __init__(
        self,
        trust: Trust,
        store: Store,
        snapshots: SnapshotStore,
        environment: Environment,
        evaluator: Evaluator,
        epoch: tuple[int, LockedBytes],
        deadline: tuple[float, float],
        desk: LineageDesk,
    ) -> None:
        self.trust = trust
        self._store = store
        self._snapshots = snapshots
        self._environment = environment
        self._evaluator = evaluator
        self._epoch, self._epoch_key = epoch
        self._deadline, self._deadline_per_item = deadline
        self._desk = desk
        self._matrix = snapshots.open(snapshots.current_id())
        self._looked = time.monotonic()
        self._selector = lru_cache(maxsize=1024)(self._build_selector)

    def matrix(self) -> Matrix:
        """The current snapshot; a newly loaded one is picked up within a second."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            if (current := self._snapshots.current_id()) != self._matrix.snapshot_id:
                self._matrix = self._snapshots.open(current)
                log.info("snapshot in force", snapshot=current)
        return self._matrix

    async def register_key(self, raw: str) -> tuple[str, str]:
        return await self._store.run(grants.register_key, self.trust, raw, self._environment.clock())

    async def submit_authorization(self, raw: str) -> grants.GrantState:
        return await self._store.run(grants.submit_authorization, self.trust, raw, self._environment.clock())

    async def submit_statement(self, raw: str) -> grants.GrantState | None:
        now = self._environment.clock()
        return await self._store.run(grants.submit_statement, self.trust, self._environment, self._desk.key, raw, now)

    async def lineage(self, raw: str) -> str:
        """The sealed answer to an enterprise's question which records made one of its features."""
        now = self._environment.clock()
        request = await self._store.run(grants.verify_lineage_request, self.trust, raw, now)
        return await self._desk.answer(
            request, self.matrix(), await self._store.run(disputes.left_out, self._environment)
        )

    def quality(self) -> tuple[Matrix, Board | None]:
        """The snapshot in force and the board made with it, if there is one."""
        matrix = self.matrix()
        return matrix, read_board(self._snapshots.root, matrix.snapshot_id)

    async def register_model(self, raw: str, untrusted_weights: bytes, untrusted_zero: bytes) -> models.RegisteredModel:
        now = self._environment.clock()
        upload = models.check_upload(self.trust, raw, untrusted_weights, untrusted_zero, now)
        # Hostile ciphertexts meet the library in a worker process with limits, never here.
        await self._evaluator.check(upload.weights, upload.zero)
        return await self._store.run(models.register_model, self.trust, upload, now)

    async def usage(self, raw_access: str, before: int, count: int) -> "Usage":
        now = self._environment.clock()
        enterprise = await self._store.run(grants.verify_access, self.trust, raw_access, now)
        uses, following = await self._store.run(ledger.usage_of, enterprise, before, count)
        banks = await self._store.run(ledger.banks_charging, enterprise, now)
        budgets = await self._store.run(ledger.budgets, self.trust, enterprise, ("", *banks), now)
        granted = await self._store.run(grants.grants_of, enterprise, now)
        return Usage(uses, following, budgets, granted, now - ledger.WINDOW_SECONDS)

    async def assess(self, raw: str) -> tuple[str, list[Stored | Refused]]:
        """(nonce, one outcome an item, in order). Raises `Refused` or `DocumentError` when the whole is refused."""
        now = self._environment.clock()
        asked = ledger.verify_request(self.trust, raw, now)
        matrix = self.matrix()
        present = Present(matrix.snapshot_id, matrix.as_of, self._epoch)
        settled = await self._store.run(
            ledger.charge, self.trust, asked, present, now, lambda: self._environment.random_bytes(16).hex()
        )
        charged_at = time.monotonic()
        outcomes = await self._answer(asked, matrix, settled)
        await self._wait_for_deadline(charged_at, len(settled))
        return asked.request.stamp.nonce, outcomes

    async def _answer(
        self, asked: Asked, matrix: Matrix, settled: Sequence[Charged | Stored | Refused]
    ) -> list[Stored | Refused]:
        charged = [entry for entry in settled if isinstance(entry, Charged)]
        jobs = [self._jobs(matrix, entry) for entry in charged]
        frames = iter(await self._evaluator.evaluate([job for group in jobs for job in group]) if charged else [])
        answered = []
        for entry, group in zip(charged, jobs, strict=True):
            parts = tuple(zip(self._parts(entry), (next(frames) for _ in group), strict=True))
            answered.append((entry.assessment_id, self._receipt(matrix, entry, parts), parts))
        stored = iter(await self._store.run(ledger.store_answers, answered) if answered else [])
        return [next(stored) if isinstance(entry, Charged) else entry for entry in settled]

    def _parts(self, entry: Charged) -> tuple[str, ...]:
        return tuple(sorted(entry.categories)) if entry.disclosure is Disclosure.BY_CATEGORY else ("",)

    def _build_selector(self, categories: tuple[str, ...], only: str) -> CellSelector:
        return CellSelector.build(self.trust.catalogue, categories, only)

    def _jobs(self, matrix: Matrix, entry: Charged) -> list[Job]:
        row = matrix.row(entry.enterprise)
        parameters = PARAMETER_SETS[entry.parameter_set]
        jobs = []
        for category in self._parts(entry):
            active = self._selector(entry.categories, category).active(row)
            fields = MaskFields(
                enclave_id=self.trust.enclave_id,
                parameter_set=entry.parameter_set,
                model_id=entry.model,
                enterprise=entry.enterprise,
                catalogue=self.trust.catalogue.digest,
                active=active,
                disclosure=entry.disclosure,
                category=category,
                precision_points=entry.precision_points,
                flood_bound=parameters.flood_bound(entry.precision_points),
            )
            jobs.append(Job(entry.model, mask_key(self._epoch_key.reveal(), fields), entry.precision_points, active))
        return jobs

    def _receipt(self, matrix: Matrix, entry: Charged, parts: Sequence[tuple[str, bytes]]) -> str:
        return Receipt(
            enclave=self.trust.enclave_id,
            assessment_id=entry.assessment_id,
            charged_at=entry.charged_at,
            enterprise=Uscc(entry.enterprise),
            bank=BankId(entry.bank),
            model=entry.model,
            parameter_set=entry.parameter_set,
            authorization=entry.authorization,
            catalogue=self.trust.catalogue.reference,
            catalogue_digest=self.trust.catalogue.digest,
            snapshot=matrix.snapshot_id,
            as_of=matrix.as_of,
            disclosure=entry.disclosure,
            precision_points=entry.precision_points,
            centibits=entry.centibits,
            request=entry.request,
            answers=tuple(AnswerDigest(category, answer_digest(frame)) for category, frame in parts),
        ).sign(self.trust.receipt_key)

    async def _wait_for_deadline(self, charged_at: float, items: int) -> None:
        """Answers leave at a fixed time after the charge, or at the next multiple of it, whatever the work took."""
        step = self._deadline and self._deadline + self._deadline_per_item * (items - 1)
        if step:
            spent = time.monotonic() - charged_at
            await asyncio.sleep(step - spent % step)

    async def close(self) -> None:
        await self._evaluator.close()
        self._store.close()
        self._epoch_key.wipe()


@dataclass(frozen=True, slots=True)
class Usage:
    """An enterprise's own view."""

    uses: list[ledger.Use]
    following: int | None
    """Where the next page begins."""
    budgets: list[tuple[str, int, int]]
    """(bank or "" for all, limit, spent) in centibits."""
    granted: list[tuple[str, str, int]]
    """(token, state, assessments made)."""
    window_start: int
