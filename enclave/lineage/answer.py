"""From a signed request to an answer only its author can read, at a time that tells a relay little."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, Feature, UnknownFeature
from xinyidai.confidential import OpeningKey
from xinyidai.lineage import Lineage, LineageRecord, LineageRequest
from xinyidai.reasons import Reason

from enclave.authority.trust import Trust
from enclave.environment import Environment
from enclave.errors import Refused
from enclave.matrix import Matrix
from enclave.records.disputed import Disputed
from enclave.timing import whole_seconds

if TYPE_CHECKING:
    from enclave.lineage.trace import Trace

_LIST_BYTES: Final = 40_000
"""What the lists may take of a document, in which everything else is short."""
_NOT_TRACED: Final = "not_traced"


def feature_of(catalogue: Catalogue, code: str) -> Feature:
    """Raises `Refused`."""
    try:
        return catalogue.feature(code)
    except UnknownFeature as error:
        raise Refused(Reason.FEATURE_UNKNOWN, "no such feature in the catalogue in force") from error


class LineageDesk:
    """Works out one lineage at a time, beside the service of assessments."""

    def __init__(self, data: Path, trust: Trust, environment: Environment, key: OpeningKey) -> None:
        """`data`: the enclave's folder, with the snapshots and the vault in it."""
        self._data, self._trust, self._environment, self.key = data, trust, environment, key
        self._turn = asyncio.Semaphore(1)

    async def answer(
        self, request: LineageRequest, matrix: Matrix, row: NDArray[np.uint16], disputed: Sequence[Disputed]
    ) -> str:
        """The sealed answer. `row`: what an assessment would use. Raises `Refused`; never because of what the records
        are."""
        feature = feature_of(self._trust.catalogue, request.feature)
        async with whole_seconds():
            async with self._turn:
                found = await asyncio.to_thread(self._trace, request, feature, matrix, disputed)
            lineage = self._lineage(request, feature, matrix, row, found)
            return lineage.seal(self._trust.receipt_key, request.reader)

    def _trace(
        self, request: LineageRequest, feature: Feature, matrix: Matrix, disputed: Sequence[Disputed]
    ) -> "Trace":
        # Loaded here: whoever only assesses needs no query engine.
        from enclave.lineage.origin import OriginGone, read_origin
        from enclave.lineage.trace import trace
        from enclave.records.errors import RecordsError

        try:
            origin = read_origin(self._data / "snapshots", matrix.snapshot_id)
            source = origin.open(self._data / "vault", self._environment)
            as_of = date.fromisoformat(matrix.as_of)
            return trace(source, self._trust.catalogue, feature, request.enterprise, as_of, disputed)
        except (OriginGone, RecordsError) as error:
            raise Refused(Reason.LINEAGE_UNAVAILABLE, "the records of this snapshot are no longer there") from error

    def _lineage(
        self, request: LineageRequest, feature: Feature, matrix: Matrix, row: NDArray[np.uint16], found: "Trace"
    ) -> Lineage:
        at = [one.code for one in self._trust.catalogue.features].index(feature.code)
        stored, cell = int(row[at]), found.cell(feature)
        records, left_out = fit(found.records, found.left_out)
        return Lineage(
            enclave=self._trust.enclave_id,
            enterprise=request.enterprise,
            request=request.stamp.nonce,
            issued_at=self._environment.clock(),
            feature=feature.code,
            catalogue=self._trust.catalogue.reference,
            catalogue_digest=self._trust.catalogue.digest,
            snapshot=matrix.snapshot_id,
            as_of=matrix.as_of,
            status=found.said.status.name.lower() if found.said else _NOT_TRACED,
            value=repr(found.said.value) if found.said and found.said.status.name == "VALUE" else "",
            cell=stored,
            current=cell is not None and cell == stored,
            rules=found.rules,
            contributing=len(found.records),
            excluded=len(found.left_out),
            records=records,
            left_out=left_out,
            dispute_key=self.key.public,
        )


def fit(
    records: Sequence[LineageRecord], left_out: Sequence[LineageRecord]
) -> tuple[tuple[LineageRecord, ...], tuple[LineageRecord, ...]]:
    """As many of both as one document holds, a quarter kept for those left out."""
    spared, used = _within(left_out, _LIST_BYTES // 4)
    listed, _ = _within(records, _LIST_BYTES - used)
    return listed, spared


def _within(records: Sequence[LineageRecord], room: int) -> tuple[tuple[LineageRecord, ...], int]:
    used, kept = 0, []
    for record in records:
        members: dict[str, Any] = asdict(record)
        used += len(json.dumps(members, ensure_ascii=False).encode())
        if used > room:
            break
        kept.append(record)
    return tuple(kept), min(used, room)
