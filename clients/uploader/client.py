"""Delivery of batches over gRPC with mTLS, going on after a broken connection where it stopped."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
from xinyidai.batches import CHUNK_BYTES
from xinyidai.reasons import Reason
from xinyidai.status import read_error
from xinyidai.v1 import records_pb2, records_pb2_grpc

from clients.uploader.credentials import DepartmentCredentials
from clients.uploader.errors import DomainUnavailable, RefusedByDomain
from clients.uploader.packing import PackedBatch

_TRIES: Final = 6
_FIRST_PAUSE: Final = 0.5
_PAGE: Final = 1000
_RETRIED: Final = frozenset({Reason.OVERLOADED, Reason.ENCLAVE_UNAVAILABLE, Reason.OFFSET_MISMATCH})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """The data domain's report: taken + duplicated + waiting + quarantined = rows."""

    batch: str
    category: str
    rows: int
    taken: int
    duplicated: int
    waiting: int
    quarantined: int
    faults: tuple[tuple[str, str, int], ...]
    """(fault, column, rows); the column is empty for a fault of the whole row."""


class RecordUploader:
    """One connection to a data domain. Use as a context manager.

    `timeout`: seconds for a call; `pause`: how the uploader waits before it tries again.
    """

    def __init__(
        self,
        address: str,
        credentials: DepartmentCredentials,
        *,
        timeout: float = 600.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._credentials = credentials
        self._channel = grpc.secure_channel(address, credentials.channel)
        self._stub: Any = records_pb2_grpc.RecordServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._timeout, self._pause = timeout, pause

    def deliver(self, packed: PackedBatch, progress: Callable[[int], None] = lambda _: None) -> BatchOutcome:
        """Send what the data domain does not have yet, commit, and return its report. A batch that was delivered
        before is not sent again. `progress` is told the bytes that have been handed over.

        Raises `RefusedByDomain` or `DomainUnavailable`; calling again goes on from there.
        """
        return self._persistently(lambda: self._deliver_once(packed, progress))

    def report(self, batch: str) -> BatchOutcome:
        """Of a committed batch, with the rows matched since. Raises `RefusedByDomain` or `DomainUnavailable`."""
        found = self._persistently(lambda: self._stub.GetBatch(_get(batch), timeout=self._timeout))
        if found.state != records_pb2.BATCH_STATE_COMMITTED:
            raise RefusedByDomain(Reason.BATCH_INCOMPLETE, "the batch was begun and not committed; upload it again")
        return _outcome(found.report)

    def quarantined(self, batch: str) -> Iterator[tuple[int, str, str]]:
        """(line, fault, column) of every row set aside, by line."""
        after = 0
        while True:
            page = self._persistently(lambda after=after: self._page(batch, after))  # type: ignore[misc]
            yield from ((row.line, row.fault, row.column) for row in page.rows)
            if not page.next_after_line:
                return
            after = page.next_after_line

    def _page(self, batch: str, after: int) -> Any:
        request = records_pb2.ListQuarantinedRequest(batch=batch, after_line=after, page_size=_PAGE)
        return self._stub.ListQuarantined(request, timeout=self._timeout)

    def _deliver_once(self, packed: PackedBatch, progress: Callable[[int], None]) -> BatchOutcome:
        received = self._received(packed)
        if received is None:
            progress(len(packed.content))
        else:
            progress(received)
            self._stub.Upload(self._messages(packed, received, progress), timeout=self._timeout)
        request = records_pb2.CommitBatchRequest(batch=packed.header.batch)
        return _outcome(self._stub.CommitBatch(request, timeout=self._timeout).report)

    def _received(self, packed: PackedBatch) -> int | None:
        """How much is there; None for a batch that is committed."""
        try:
            found = self._stub.GetBatch(_get(packed.header.batch), timeout=self._timeout)
        except grpc.RpcError as error:
            wire = read_error(error)
            if wire is not None and wire.reason is Reason.BATCH_UNKNOWN:
                return 0
            raise
        if found.digest != packed.header.digest:
            raise RefusedByDomain(Reason.BATCH_CONFLICT, "this batch id was used for another content")
        return None if found.state == records_pb2.BATCH_STATE_COMMITTED else int(found.received)

    def _messages(self, packed: PackedBatch, offset: int, progress: Callable[[int], None]) -> Iterator[Any]:
        header = packed.header.sign(self._credentials.key)
        yield records_pb2.UploadRequest(start=records_pb2.UploadStart(header=header, offset=offset))
        for at in range(offset, len(packed.content), CHUNK_BYTES):
            chunk = packed.content[at : at + CHUNK_BYTES]
            yield records_pb2.UploadRequest(chunk=chunk)
            progress(at + len(chunk))

    def _persistently(self, work: Callable[[], T]) -> T:
        """Try again what may succeed the next time: a broken connection, a domain that restarts."""
        for left in reversed(range(_TRIES)):
            try:
                return work()
            except grpc.RpcError as error:
                wire = read_error(error)
                if wire is not None and wire.reason not in _RETRIED:
                    raise RefusedByDomain(wire.reason, wire.message) from None
                if not left:
                    detail = wire.message if wire is not None else "check the address, the certificates, the network"
                    raise DomainUnavailable(f"数据域没有应答 / no answer from the data domain: {detail}") from None
            self._pause(_FIRST_PAUSE * 2 ** (_TRIES - 1 - left))
        raise DomainUnavailable("数据域没有应答 / no answer from the data domain")

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _get(batch: str) -> Any:
    return records_pb2.GetBatchRequest(batch=batch)


def _outcome(report: Any) -> BatchOutcome:
    return BatchOutcome(
        batch=report.batch,
        category=report.category,
        rows=report.rows,
        taken=report.taken,
        duplicated=report.duplicated,
        waiting=report.waiting,
        quarantined=report.quarantined,
        faults=tuple((one.fault, one.column, one.rows) for one in report.faults),
    )
