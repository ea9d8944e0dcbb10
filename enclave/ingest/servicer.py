"""RecordService over gRPC. Thin: who calls, parse, call the service in a thread, translate its errors by one table."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import Any, Final

import grpc
import structlog
from cryptography import x509
from xinyidai.identifiers import IdentifierError, parse_batch_id
from xinyidai.identity import CertificateInvalid, Role, identity_of
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError
from xinyidai.status import WireError
from xinyidai.streams import without_long_silence
from xinyidai.v1 import records_pb2, records_pb2_grpc

from enclave.errors import Refused
from enclave.ingest.objections import MAX_PAGE as MAX_OBJECTIONS
from enclave.ingest.objections import DepartmentDesk
from enclave.ingest.service import MAX_PAGE, IngestService
from enclave.records.vault import Batch
from enclave.rpc.translation import translated

_DEFAULT_PAGE: Final = 100
log = structlog.get_logger("enclave.ingest")


def _wire_error(error: Exception) -> WireError:
    if isinstance(error, Refused | DocumentError):
        return WireError(error.reason, str(error))
    if isinstance(error, IdentifierError):
        return WireError(Reason.REQUEST_INVALID, str(error))
    # Not the traceback: an engine's message may quote a value.
    log.error("unforeseen error", kind=type(error).__name__)
    return WireError(Reason.INTERNAL, "the data domain failed; it has logged so. Try again later")


_translated = translated(_wire_error)


def department_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """The department the client certificate names; TLS has checked that the departments' root vouches for it.
    Raises `CertificateInvalid`."""
    found = context.auth_context().get("x509_pem_cert", [b""])
    try:
        identity = identity_of(x509.load_pem_x509_certificate(next(iter(found))))
    except (ValueError, StopIteration) as error:
        raise CertificateInvalid("present a department's certificate") from error
    if identity.role is not Role.DEPARTMENT:
        raise CertificateInvalid("present a department's certificate")
    return identity.name


class RecordServicer(records_pb2_grpc.RecordServiceServicer):
    def __init__(self, service: IngestService, desk: DepartmentDesk, silence: float) -> None:
        """`silence`: seconds an upload may say nothing."""
        self._service, self._desk = service, desk
        self._silence = silence

    @_translated
    async def Upload(self, request: AsyncIterator[Any], context: Any) -> records_pb2.UploadResponse:
        department = department_of(context)
        silent = Refused(Reason.OVERLOADED, "nothing came for too long; what arrived is kept, go on from there")
        untrusted_messages = without_long_silence(request, self._silence, silent)
        first = await anext(untrusted_messages, None)
        if first is None or first.WhichOneof("part") != "start":
            raise Refused(Reason.REQUEST_INVALID, "begin with the header of the batch")
        with ExitStack() as stack:
            receiving = self._service.receiving(department, first.start.header, first.start.offset)
            appender = await asyncio.to_thread(stack.enter_context, receiving)
            async for message in untrusted_messages:
                if message.WhichOneof("part") != "chunk":
                    raise Refused(Reason.REQUEST_INVALID, "after the header, send chunks only")
                await asyncio.to_thread(appender.append, message.chunk)
        return records_pb2.UploadResponse(received=appender.received)

    @_translated
    async def CommitBatch(self, request: Any, context: Any) -> records_pb2.CommitBatchResponse:
        batch = await self._call(self._service.commit, context, request.batch)
        log.info("batch committed", batch=batch.batch, category=batch.category, rows=batch.rows)
        return records_pb2.CommitBatchResponse(report=_report(batch))

    @_translated
    async def GetBatch(self, request: Any, context: Any) -> records_pb2.GetBatchResponse:
        found = await self._call(self._service.find, context, request.batch)
        if isinstance(found, Batch):
            state = records_pb2.BATCH_STATE_COMMITTED
            return records_pb2.GetBatchResponse(state=state, digest=found.digest, report=_report(found))
        return records_pb2.GetBatchResponse(
            state=records_pb2.BATCH_STATE_RECEIVING, received=found.received, digest=found.header.digest
        )

    @_translated
    async def ListQuarantined(self, request: Any, context: Any) -> records_pb2.ListQuarantinedResponse:
        if not 0 <= request.page_size <= MAX_PAGE or request.after_line < 0:
            raise Refused(Reason.REQUEST_INVALID, f"page_size is 1 to {MAX_PAGE}, after_line a line")
        size = request.page_size or _DEFAULT_PAGE
        rows, following = await self._call(self._service.quarantined, context, request.batch, request.after_line, size)
        listed = [records_pb2.QuarantinedRow(line=one.line, fault=one.fault, column=one.column) for one in rows]
        return records_pb2.ListQuarantinedResponse(rows=listed, next_after_line=following)

    @_translated
    async def ListObjections(self, request: Any, context: Any) -> records_pb2.ListObjectionsResponse:
        if not 0 <= request.page_size <= MAX_OBJECTIONS or request.after < 0:
            raise Refused(
                Reason.REQUEST_INVALID, f"page_size is 1 to {MAX_OBJECTIONS}, after what the last page returned"
            )
        count = request.page_size or _DEFAULT_PAGE
        department = department_of(context)
        found, following = await self._desk.objections(
            department, everything=request.all, after=request.after, count=count
        )
        return records_pb2.ListObjectionsResponse(objections=found, next_after=following)

    @_translated
    async def DecideObjection(self, request: Any, context: Any) -> records_pb2.DecideObjectionResponse:
        done = await self._desk.decide(department_of(context), request.decision)
        log.info("objection decided", objection=done.objection_id)
        return records_pb2.DecideObjectionResponse(objection_id=done.objection_id, state=done.state)

    async def _call(self, work: Callable[..., Any], context: Any, raw_batch: str, *rest: Any) -> Any:
        return await asyncio.to_thread(work, department_of(context), parse_batch_id(raw_batch), *rest)


def _report(batch: Batch) -> records_pb2.BatchReport:
    return records_pb2.BatchReport(
        batch=batch.batch,
        category=batch.category,
        rows=batch.rows,
        taken=batch.taken,
        duplicated=batch.duplicated,
        waiting=batch.waiting,
        quarantined=batch.quarantined,
        faults=[records_pb2.FaultCount(fault=f.fault, column=f.column, rows=f.rows) for f in batch.faults],
        committed_at=batch.committed_at,
    )
