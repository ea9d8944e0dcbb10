"""What ingestion does, without the wire: who may deliver what, and the order of a delivery."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from xinyidai.batches import BATCH_TYPE, LINE_COLUMN, BatchHeader, parse_batch_header
from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import EnclaveId
from xinyidai.identity import TrustAnchor, verify_with_chain
from xinyidai.reasons import Reason
from xinyidai.requests import MAX_SKEW_SECONDS

from enclave.environment import Environment
from enclave.errors import Refused
from enclave.ingest.staging import Appender, Staged, Staging
from enclave.records.intake.intake import known_batch, take_batch
from enclave.records.vault import Batch, CategoryDestroyed, SegmentKind, Vault
from enclave.records.vault.segments import BATCH_COLUMN

MAX_PAGE: Final = 1000
_FORBIDDEN: Final = "this department does not write that category"


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    line: int
    fault: str
    column: str


class IngestService:
    """Composed by enclave.ingest.app. Safe to call from several threads; calls about one batch take turns."""

    def __init__(
        self,
        enclave_id: EnclaveId,
        anchor: TrustAnchor,
        departments: Mapping[str, tuple[str, ...]],
        catalogue: Catalogue,
        vault: Vault,
        staging: Staging,
        environment: Environment,
    ) -> None:
        self._enclave_id, self._anchor, self._departments = enclave_id, anchor, departments
        self._catalogue, self._vault, self._staging = catalogue, vault, staging
        self._environment = environment
        self._busy: set[tuple[str, str]] = set()
        self._guard = threading.Lock()

    def check_department(self, department: str) -> None:
        """Raises `Refused` for one the data holder does not name (any more)."""
        if department not in self._departments:
            raise Refused(Reason.DEPARTMENT_NOT_REGISTERED, "the data holder does not take records of this department")

    @contextmanager
    def receiving(self, department: str, raw_header: str, offset: int) -> Iterator[Appender]:
        """Take chunks of a batch from `offset` on. Raises `Refused` or `DocumentError` before anything is written.

        What arrived before the block fails is kept: that is what an upload resumes from.
        """
        self.check_department(department)
        header = self._verify(department, raw_header)
        with self._alone(department, header.batch):
            self._check_kept(header.category)
            if known_batch(self._vault, header) is not None:
                raise Refused(Reason.OFFSET_MISMATCH, "this batch was committed; ask for its report")
            staged = self._staging.begin(header)
            if offset != staged.received:
                raise Refused(Reason.OFFSET_MISMATCH, f"{staged.received} bytes are here; go on from there")
            appender = self._staging.appender(staged)
            try:
                yield appender
            finally:
                appender.close()

    def commit(self, department: str, batch: str) -> Batch:
        """Check and store a batch that was received in full. Raises `Refused`."""
        self.check_department(department)
        with self._alone(department, batch):
            staged = self._staging.find(department, batch)
            if staged is None:
                return self.committed(department, batch)
            # The right may have been withdrawn since the first chunk.
            self._check_category(department, staged.header.category)
            self._check_kept(staged.header.category)
            try:
                found = self._take(staged)
            except Refused as error:
                if error.reason in (Reason.BATCH_CONTENT, Reason.CATALOGUE_UNKNOWN):
                    # It can never be committed; kept, it would hold its space and stand in the way of a better one.
                    self._staging.remove(department, batch)
                raise
            self._staging.remove(department, batch)
        return found

    def remove_abandoned(self, seconds: int) -> int:
        """Remove batches no byte of which came for so long; how many."""
        limit, removed = self._environment.clock() - seconds, 0
        for department, batch in self._staging.untouched_since(limit):
            with suppress(Refused), self._alone(department, batch):
                # Again, now that nobody else can go on with it.
                if (department, batch) in self._staging.untouched_since(limit):
                    self._staging.remove(department, batch)
                    removed += 1
        return removed

    def committed(self, department: str, batch: str) -> Batch:
        """Raises `Refused` for a batch this department never committed."""
        self.check_department(department)
        found = self._vault.manifest().batch(department, batch)
        if found is None:
            raise Refused(Reason.BATCH_UNKNOWN, "this department sent no such batch")
        return found

    def find(self, department: str, batch: str) -> Batch | Staged:
        """What is known of a batch. Raises `Refused`."""
        self.check_department(department)
        found = self._vault.manifest().batch(department, batch)
        return found or self._staging.find(department, batch) or self.committed(department, batch)

    def quarantined(self, department: str, batch: str, after_line: int, count: int) -> tuple[list[QuarantinedRow], int]:
        """(rows by line, line to go on after or 0). Raises `Refused`."""
        found = self.committed(department, batch)
        rows = self._quarantine_of(found, after_line)
        page = rows.slice(0, count)
        listed = [QuarantinedRow(one[LINE_COLUMN], one["_fault"], one["_column"]) for one in page.to_pylist()]
        return listed, listed[-1].line if rows.num_rows > count else 0

    def _quarantine_of(self, batch: Batch, after_line: int) -> pa.Table:
        columns = [LINE_COLUMN, "_fault", "_column"]
        self._check_kept(batch.category)
        if not batch.quarantined:
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        dataset = self._vault.snapshot().dataset(batch.category, SegmentKind.QUARANTINED)
        wanted = (pc.field(BATCH_COLUMN) == batch.sequence) & (pc.field(LINE_COLUMN) > after_line)
        return dataset.to_table(columns=columns, filter=wanted).sort_by(LINE_COLUMN)

    def _take(self, staged: Staged) -> Batch:
        known = known_batch(self._vault, staged.header)
        if known is not None:
            return known
        self._check_catalogue(staged.header)
        return take_batch(self._vault, self._catalogue, staged.header, self._staging.content(staged))

    def _verify(self, department: str, raw_header: str) -> BatchHeader:
        signed = verify_with_chain(raw_header, BATCH_TYPE, self._anchor)
        header = parse_batch_header(signed.claims)
        if {signed.identity.name, header.department} != {department}:
            raise Refused(Reason.CERTIFICATE_INVALID, "the header was signed by another department than the one here")
        if self._enclave_id not in header.audience:
            raise Refused(Reason.AUDIENCE_MISMATCH, "the batch is for another data domain; name this one in aud")
        if header.issued_at > self._environment.clock() + MAX_SKEW_SECONDS:
            raise Refused(Reason.DOCUMENT_EXPIRED, "the header is dated in the future; check your clock")
        self._check_category(department, header.category)
        self._check_catalogue(header)
        return header

    def _check_catalogue(self, header: BatchHeader) -> None:
        """A batch that was begun under another catalogue may mean other units and lists by its columns."""
        if header.catalogue_digest != self._catalogue.digest:
            raise Refused(Reason.CATALOGUE_UNKNOWN, f"deliver by the catalogue in force, {self._catalogue.reference}")

    def _check_category(self, department: str, category: str) -> None:
        """One answer for another's category and for none at all. Raises `Refused`."""
        if category not in self._departments[department]:
            raise Refused(Reason.CATEGORY_FORBIDDEN, _FORBIDDEN)

    def _check_kept(self, category: str) -> None:
        """Before anything asks for the category's key, which would make a new one. Raises `Refused`."""
        if category in self._vault.manifest().destroyed:
            raise Refused(Reason.CATEGORY_DESTROYED, str(CategoryDestroyed(category)))

    @contextmanager
    def _alone(self, department: str, batch: str) -> Iterator[None]:
        key = department, batch
        with self._guard:
            if key in self._busy:
                raise Refused(Reason.OVERLOADED, "another call about this batch is running; try again")
            self._busy.add(key)
        try:
            yield
        finally:
            with self._guard:
                self._busy.discard(key)
