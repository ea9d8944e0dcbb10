"""From a signed question to an answer only its author can read, at a time that tells a relay little."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from xinyidai.catalogue import UnknownCategory
from xinyidai.confidential import SealingKey
from xinyidai.own_records import OwnRecords, OwnRecordsRequest
from xinyidai.reasons import Reason

from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.matrix import Matrix
from enclave.records.disputed import Disputed
from enclave.timing import whole_seconds

if TYPE_CHECKING:
    from enclave.own_data.holdings import Page


class OwnDataDesk:
    """Works out one answer at a time, beside the service of assessments."""

    def __init__(self, data: Path, trust: Trust, environment: Environment, dispute_key: SealingKey) -> None:
        """`data`: the enclave's folder, with the snapshots and the vault in it."""
        self._data, self._trust, self._environment, self._key = data, trust, environment, dispute_key
        self._turn = asyncio.Semaphore(1)

    async def answer(self, request: OwnRecordsRequest, matrix: Matrix, disputed: Sequence[Disputed]) -> str:
        """The sealed answer. Raises `Refused`; never because of what the records are."""
        try:
            if request.category:
                self._trust.catalogue.category(request.category)
        except UnknownCategory as error:
            raise Refused(Reason.CATEGORY_UNKNOWN, "no such category in the catalogue in force") from error
        async with whole_seconds():
            async with self._turn:
                page = await asyncio.to_thread(self._read, request, matrix, disputed)
            return self._records(request, matrix, page).seal(self._trust.receipt_key, request.reader)

    def _read(self, request: OwnRecordsRequest, matrix: Matrix, disputed: Sequence[Disputed]) -> "Page":
        # Loaded here: whoever only assesses needs no query engine.
        from enclave.lineage.origin import OriginGone, read_origin
        from enclave.own_data.holdings import read_page
        from enclave.records.errors import RecordsError

        try:
            origin = read_origin(self._data / "snapshots", matrix.snapshot_id)
            source = origin.open(self._data / "vault", self._environment)
            as_of = date.fromisoformat(matrix.as_of)
            catalogue, firm = self._trust.catalogue, request.enterprise
            return read_page(source, catalogue, firm, as_of, disputed, request.category, request.offset)
        except (OriginGone, RecordsError) as error:
            raise Refused(Reason.LINEAGE_UNAVAILABLE, "the records of this snapshot are no longer there") from error

    def _records(self, request: OwnRecordsRequest, matrix: Matrix, page: "Page") -> OwnRecords:
        return OwnRecords(
            enclave=self._trust.enclave_id,
            enterprise=request.enterprise,
            request=request.stamp.nonce,
            issued_at=self._environment.clock(),
            catalogue=self._trust.catalogue.reference,
            snapshot=matrix.snapshot_id,
            as_of=matrix.as_of,
            holdings=page.holdings,
            category=request.category,
            offset=request.offset,
            records=page.records,
            more=page.more,
            dispute_key=self._key,
        )
