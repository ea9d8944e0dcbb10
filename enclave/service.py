"""The order of an assessment: verify, charge durably, evaluate, store, and only then answer, at a fixed time."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import structlog
from xinyidai.authorization import Disclosure
from xinyidai.identifiers import BankId, Uscc
from xinyidai.parameters import LINEAR_4096_T1024, PARAMETER_SETS, TREES_8192
from xinyidai.reasons import Reason
from xinyidai.receipt import AnswerDigest, Receipt, answer_digest
from xinyidai.requests import MAX_ITEMS, tree_model_id
from xinyidai.signing import read_unverified
from xinyidai.transparency import Inclusion

from enclave.authority import access, disputes, events, grants, ledger, models, proposals, signers
from enclave.authority.ledger import Asked, Charged, Present, Stored
from enclave.authority.revisions import RowsOutdated
from enclave.authority.store import Store
from enclave.authority.trees import TreeStore
from enclave.authority.trust import Trust
from enclave.environment import EnclaveEnvironmentError, Environment, LockedBytes
from enclave.errors import Refused
from enclave.lineage.answer import LineageDesk
from enclave.lineage.rows_in_force import RowDesk, cells_of
from enclave.matrix import CellSelector, Matrix, SnapshotError, SnapshotStore
from enclave.objections import ObjectionDesk, ObjectionProgress
from enclave.outreach import Outreach
from enclave.own_data.desk import OwnDataDesk
from enclave.quality.board import Board, read_board
from enclave.scoring.evaluator import Evaluator, Job
from enclave.scoring.masking import MaskFields, mask_key
from enclave.timing import whole_seconds
from enclave.transparency.desk import TransparencyDesk
from enclave.whitelist.lists import ListRules

_UPLOADS = 2
_ROW_TRIES = 4
_LOOK_SECONDS = 1.0
"""How often the enclave looks whether a new snapshot was loaded."""
log = structlog.get_logger("enclave.service")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds from the charge to the answer; 0 answers at once."""

    first: float = 0.0
    per_item: float = 0.0
    """Added for each further item of a request."""
    trees: float = 0.0
    """Of a tree ensemble; each further item adds a third of it."""

    def step(self, parameter_set: str, items: int) -> float:
        first, more = (self.trees, self.trees / 3) if parameter_set == TREES_8192.name else (self.first, self.per_item)
        return first and first + more * (items - 1)


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
        trees: TreeStore,
        deadlines: Deadlines,
        desk: LineageDesk,
        list_rules: ListRules,
        rows: RowDesk,
        objections: ObjectionDesk,
        own_data: OwnDataDesk,
    ) -> None:
        self.trust = trust
        self._store = store
        self._snapshots = snapshots
        self._environment = environment
        self._evaluator = evaluator
        self._epoch, self._epoch_key = epoch
        self._trees = trees
        self._uploads = asyncio.Semaphore(_UPLOADS)
        self._placing = asyncio.Lock()
        self._deadlines = deadlines
        self._desk = desk
        self._rows = rows
        self._objections = objections
        self._own_data = own_data
        self.transparency = TransparencyDesk(store, trust, environment)
        self._matrix = snapshots.open(snapshots.current_id())
        self._looked = time.monotonic()
        self._selector = lru_cache(maxsize=1024)(self._build_selector)
        self.outreach = Outreach(trust, store, environment, self.matrix, list_rules)

    def matrix(self) -> Matrix:
        """The current snapshot; a newly loaded one is picked up within a second."""
        if time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            try:
                if (current := self._snapshots.current_id()) != self._matrix.snapshot_id:
                    self._matrix = self._snapshots.open(current)
                    log.info("snapshot in force", snapshot=current)
            except (SnapshotError, EnclaveEnvironmentError) as error:
                log.error("the new snapshot is refused; the one before stays in force", problem=str(error))
        return self._matrix

    async def register_key(self, raw: str) -> tuple[str, str]:
        return await self._store.run(grants.register_key, self.trust, raw, self._environment.clock())

    async def submit_authorization(self, raw: str) -> grants.CarriedOut:
        now = self._environment.clock()
        return await self._store.run(grants.submit_authorization, self.trust, self._environment, raw, now)

    async def submit_statement(self, raw: str) -> grants.CarriedOut:
        """When this returns, it holds for every later charge; an objection also in the enterprise's row."""
        now = self._environment.clock()
        said = read_unverified(raw)
        done = self._store.run(grants.submit_statement, self.trust, self._environment, self._desk.key, raw, now)
        if "record" not in said.members:
            return await done
        async with whole_seconds():
            carried_out = await done
            await self._account_for(said.text("sub"))
        return carried_out

    async def _account_for(self, enterprise: str) -> None:
        try:
            await self._rows.bring_up([enterprise], self.matrix())
        except Refused as error:
            # The objection stands all the same; the enterprise is not assessed until its row is known.
            log.error("a row cannot be computed; load again", problem=str(error))

    async def upkeep(self) -> None:
        """Once a second or so: what has expired is told, and rows that decisions changed are computed."""
        while await self._store.run(events.lapse_due, self.trust, self._environment.clock()):
            pass
        await self._rows.catch_up(self.matrix())

    async def request_authorization(self, raw: str) -> str:
        return await self._store.run(proposals.submit_proposal, self.trust, raw, self._environment.clock())

    async def open_proposals(self, raw_access: str) -> list[str]:
        now = self._environment.clock()
        enterprise = await self._store.run(access.verify_access, self.trust, raw_access, now)
        return await self._store.run(proposals.open_proposals, enterprise, now)

    async def delegations(self, raw_access: str) -> tuple[list[signers.DelegationRow], list[signers.ActRow]]:
        enterprise = await self._store.run(access.verify_access, self.trust, raw_access, self._environment.clock())
        return await self._store.run(signers.delegations_of, enterprise)

    async def events_after(self, position: int, count: int) -> list[tuple[int, str, int, str]]:
        return await self._store.run(events.events_after, position, count)

    async def acknowledge_events(self, raw: str) -> int:
        return await self._store.run(events.acknowledge, self.trust, raw, self._environment.clock())

    async def objections(self, raw: str) -> str:
        """The sealed answer to an enterprise's question what became of its objections."""
        now = self._environment.clock()
        return await self._objections.answer(
            await self._store.run(access.verify_objections_request, self.trust, raw, now)
        )

    async def objections_of(self, raw_access: str) -> list[ObjectionProgress]:
        now = self._environment.clock()
        enterprise = await self._store.run(access.verify_access, self.trust, raw_access, now)
        return await self._objections.progress_of(enterprise)

    async def objections_after(self, change: int, count: int) -> list[ObjectionProgress]:
        return await self._objections.progress_after(change, count)

    async def lineage(self, raw: str) -> str:
        """The sealed answer to an enterprise's question which records made one of its features."""
        now = self._environment.clock()
        request = await self._store.run(access.verify_lineage_request, self.trust, raw, now)
        matrix = self.matrix()
        row = await self._rows.row(request.enterprise, matrix)
        out = await self._store.run(disputes.left_out, self._environment, request.enterprise)
        return await self._desk.answer(request, matrix, row, out.disputed)

    async def own_records(self, raw: str) -> str:
        """The sealed answer to an enterprise's question what is held about it."""
        now = self._environment.clock()
        request = await self._store.run(access.verify_own_records_request, self.trust, raw, now)
        out = await self._store.run(disputes.left_out, self._environment, request.enterprise)
        return await self._own_data.answer(request, self.matrix(), out.disputed)

    def quality(self) -> tuple[Matrix, Board | None]:
        """The snapshot in force and the board made with it, if there is one."""
        matrix = self.matrix()
        return matrix, read_board(self._snapshots.root, matrix.snapshot_id)

    async def register_model(self, raw: str, untrusted_weights: bytes, untrusted_zero: bytes) -> models.RegisteredModel:
        now = self._environment.clock()
        upload = models.check_upload(self.trust, raw, untrusted_weights, untrusted_zero, now)
        verified = models.VerifiedRegistration(upload.registration, upload.bank, upload.signer)
        await self._store.run(models.spend_registration, self.trust, verified, upload.model_id, now)
        # Hostile ciphertexts meet the library in a worker process with limits, never here.
        await self._evaluator.check(upload.weights, upload.zero)
        return await self._store.run(models.register_model, self.trust, upload, now)

    async def register_trees(self, raw: str, untrusted_frames: AsyncIterator[bytes]) -> models.RegisteredModel:
        """The frames of a tree ensemble, one at a time. A few uploads go on at once; the others wait."""
        now = self._environment.clock()
        registration = models.verify_registration(self.trust, raw, now)
        if registration.document.parameter_set != TREES_8192.name:
            raise Refused(Reason.PARAMETER_SET_UNKNOWN, f"trees are registered under {TREES_8192.name}")
        identity = tree_model_id(registration.document, registration.bank)
        await self._store.run(models.spend_registration, self.trust, registration, identity, now)
        async with self._uploads:
            receiver = self._trees.receive(registration, self.trust.catalogue.layout.size)
            try:
                async for frame in untrusted_frames:
                    await asyncio.to_thread(receiver.take, frame)
                upload = await asyncio.to_thread(receiver.finish)
                await self._evaluator.check_trees(receiver.folder)
                async with self._placing:
                    return await self._place(receiver.folder, upload)
            finally:
                receiver.close()
                await asyncio.to_thread(self._trees.discard, receiver.folder)

    async def _place(self, folder: Path, upload: models.Upload) -> models.RegisteredModel:
        """Files before the entry that names them: a registered model is never without them. One at a time."""
        await asyncio.to_thread(self._trees.keep, folder, upload.model_id)
        try:
            return await self._store.run(models.register_model, self.trust, upload, self._environment.clock())
        except Refused:
            if not await self._store.run(models.is_registered, upload.model_id):
                await asyncio.to_thread(self._trees.forget, upload.model_id)
            raise

    async def usage(self, raw_access: str, before: int, count: int) -> "Usage":
        now = self._environment.clock()
        enterprise = await self._store.run(access.verify_access, self.trust, raw_access, now)
        uses, following = await self._store.run(ledger.usage_of, enterprise, before, count)
        banks = await self._store.run(ledger.banks_charging, enterprise, now)
        budgets = await self._store.run(ledger.budgets, self.trust, enterprise, ("", *banks), now)
        granted = await self._store.run(access.grants_of, enterprise, now)
        checkpoint, proofs = await self.transparency.proofs([use.assessment_id for use in uses])
        return Usage(uses, proofs, checkpoint, following, budgets, granted, now - ledger.WINDOW_SECONDS)

    async def assess(self, raw: str, most_items: int = MAX_ITEMS) -> tuple[str, list[Stored | Refused]]:
        """(nonce, one outcome an item, in order). Raises `Refused` or `DocumentError` when the whole is refused."""
        now = self._environment.clock()
        asked = ledger.verify_request(self.trust, raw, now, most_items)
        matrix = self.matrix()
        settled = await self._charge(asked, matrix, now)
        charged_at = time.monotonic()
        outcomes = await self._answer(asked, matrix, settled)
        await self._wait_for_deadline(charged_at, settled)
        return asked.request.stamp.nonce, await self._still_granted(asked, outcomes)

    async def _charge(self, asked: Asked, matrix: Matrix, now: int) -> list[Charged | Stored | Refused]:
        """Raises `Refused`. Rows that an objection or a decision has just changed are computed first; only a bank that
        may ask about an enterprise gets as far as that."""
        present = Present(matrix.snapshot_id, matrix.as_of, self._epoch, matrix.accounted)
        for _ in range(_ROW_TRIES):
            try:
                return await self._store.run(
                    ledger.charge, self.trust, asked, present, now, lambda: self._environment.random_bytes(16).hex()
                )
            except RowsOutdated as outdated:
                await self._rows.bring_up(outdated.enterprises, matrix)
        raise Refused(Reason.OVERLOADED, "the records are being changed; try again in a moment")

    async def _still_granted(self, asked: Asked, outcomes: list[Stored | Refused]) -> list[Stored | Refused]:
        """Looked at last of all, on the thread that carries out statements: no answer leaves once a revocation has
        returned. The charge stays."""
        digests = [item.authorization for item in asked.request.items]
        answered = [d for d, outcome in zip(digests, outcomes, strict=True) if isinstance(outcome, Stored)]
        gone = await self._store.run(grants.withdrawn, answered) if answered else {}
        return [
            gone.get(digest, outcome) if isinstance(outcome, Stored) else outcome
            for digest, outcome in zip(digests, outcomes, strict=True)
        ]

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
        random_bytes = self._environment.random_bytes
        stored = iter(await self._store.run(ledger.store_answers, answered, random_bytes) if answered else [])
        return [next(stored) if isinstance(entry, Charged) else entry for entry in settled]

    def _parts(self, entry: Charged) -> tuple[str, ...]:
        return tuple(sorted(entry.categories)) if entry.disclosure is Disclosure.BY_CATEGORY else ("",)

    def _build_selector(self, categories: tuple[str, ...], only: str) -> CellSelector:
        return CellSelector.build(self.trust.catalogue, categories, only)

    def _jobs(self, matrix: Matrix, entry: Charged) -> list[Job]:
        row = matrix.row(entry.enterprise) if entry.cells is None else cells_of(entry.cells)
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
            key = mask_key(self._epoch_key.reveal(), fields)
            jobs.append(Job(entry.model, key, entry.precision_points, active, parameters))
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
            revision=entry.revision,
        ).sign(self.trust.receipt_key)

    async def _wait_for_deadline(self, charged_at: float, settled: Sequence[Charged | Stored | Refused]) -> None:
        """Answers leave at a fixed time after the charge, or at the next multiple of it, whatever the work took."""
        sets = {entry.parameter_set for entry in settled if isinstance(entry, Charged)}
        if step := self._deadlines.step(next(iter(sets), LINEAR_4096_T1024.name), len(settled)):
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
    proofs: list[Inclusion | None]
    """Of each use; None while it is not within the checkpoint."""
    checkpoint: str
    following: int | None
    """Where the next page begins."""
    budgets: list[tuple[str, int, int]]
    """(bank or "" for all, limit, spent) in centibits."""
    granted: list[access.GrantRow]
    window_start: int
