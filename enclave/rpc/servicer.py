"""EnclaveService over gRPC. Thin: parse, call the service, translate its errors by one table."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import grpc
from cryptography.hazmat.primitives.serialization import Encoding
from xinyidai.reasons import Reason
from xinyidai.status_list import status_uri
from xinyidai.transparency import Inclusion
from xinyidai.v1 import (
    assessment_pb2,
    authorization_pb2,
    catalogue_pb2,
    enclave_pb2,
    enclave_pb2_grpc,
    log_pb2,
    model_pb2,
    receipt_pb2,
)

from enclave.authority.ledger import Stored
from enclave.errors import Refused
from enclave.quality.board import LEAST_ENTERPRISES
from enclave.rpc.consent import ConsentMethods
from enclave.rpc.errors import translated, wire_error
from enclave.service import EnclaveService
from enclave.transparency.status import Place

_IN_FLIGHT: Final = 4
_OUTCOMES_A_MESSAGE: Final = 16
_MOST_NAME: Final = 64
_PAGE_TOKEN: Final = re.compile(r"[0-9]{0,18}", re.ASCII)
_STATES: Final = {
    "active": authorization_pb2.AUTHORIZATION_STATE_ACTIVE,
    "paused": authorization_pb2.AUTHORIZATION_STATE_PAUSED,
    "revoked": authorization_pb2.AUTHORIZATION_STATE_REVOKED,
    "expired": authorization_pb2.AUTHORIZATION_STATE_EXPIRED,
}


class EnclaveServicer(ConsentMethods, enclave_pb2_grpc.EnclaveServiceServicer):
    def __init__(self, service: EnclaveService) -> None:
        self._service = service

    @translated
    async def GetStatus(self, request: Any, context: Any) -> enclave_pb2.GetStatusResponse:
        matrix, trust = self._service.matrix(), self._service.trust
        chain = b"".join(c.public_bytes(Encoding.PEM) for c in trust.receipt_key.chain)
        return enclave_pb2.GetStatusResponse(
            enclave_id=trust.enclave_id,
            catalogue=trust.catalogue.reference,
            catalogue_digest=bytes.fromhex(trust.catalogue.digest),
            snapshot_id=matrix.snapshot_id,
            as_of=matrix.as_of,
            enterprises=len(matrix),
            receipt_certificate=chain.decode(),
        )

    @translated
    async def GetCatalogue(self, request: Any, context: Any) -> catalogue_pb2.GetCatalogueResponse:
        catalogue = self._service.trust.catalogue
        if request.reference not in ("", catalogue.reference):
            raise Refused(Reason.CATALOGUE_UNKNOWN, f"the catalogue in force is {catalogue.reference}")
        return catalogue_pb2.GetCatalogueResponse(
            reference=catalogue.reference,
            digest=bytes.fromhex(catalogue.digest),
            document=catalogue.canonical,
        )

    @translated
    async def RegisterModel(self, request: Any, context: Any) -> model_pb2.RegisterModelResponse:
        model = await self._service.register_model(request.registration, request.weights, request.zero)
        return model_pb2.RegisterModelResponse(model_id=model.model_id, receipt=model.receipt)

    @translated
    async def RegisterTrees(self, requests: AsyncIterator[Any], context: Any) -> model_pb2.RegisterModelResponse:
        opening = await anext(aiter(requests), None)
        if opening is None or opening.WhichOneof("part") != "registration":
            raise Refused(Reason.REQUEST_INVALID, "the first message holds the registration, each other one a frame")

        async def frames() -> AsyncIterator[bytes]:
            async for request in requests:
                yield request.frame

        model = await self._service.register_trees(opening.registration, frames())
        return model_pb2.RegisterModelResponse(model_id=model.model_id, receipt=model.receipt)

    @translated
    async def RegisterKey(self, request: Any, context: Any) -> enclave_pb2.RegisterKeyResponse:
        enterprise, thumbprint = await self._service.register_key(request.registration)
        return enclave_pb2.RegisterKeyResponse(enterprise=enterprise, key_thumbprint=thumbprint)

    @translated
    async def SubmitAuthorization(self, request: Any, context: Any) -> enclave_pb2.SubmitAuthorizationResponse:
        done = await self._service.submit_authorization(request.authorization)
        return enclave_pb2.SubmitAuthorizationResponse(
            digest=done.grant.digest if done.grant else "",
            state=_STATES[done.grant.state] if done.grant else None,
            acknowledgement=done.acknowledgement,
            **self._place(done.place),
        )

    @translated
    async def SubmitStatement(self, request: Any, context: Any) -> enclave_pb2.SubmitStatementResponse:
        done = await self._service.submit_statement(request.statement)
        return enclave_pb2.SubmitStatementResponse(
            state=_STATES[done.grant.state] if done.grant else None, acknowledgement=done.acknowledgement
        )

    def _place(self, place: Place | None) -> dict[str, Any]:
        if place is None:
            return {}
        return {"status_index": place.index, "status_uri": status_uri(self._service.trust.enclave_id, place.number)}

    @translated
    async def GetUsage(self, request: Any, context: Any) -> enclave_pb2.GetUsageResponse:
        token = request.page_token
        if not 0 <= request.page_size <= 500 or not _PAGE_TOKEN.fullmatch(token):
            raise Refused(Reason.REQUEST_INVALID, "page_size is 1 to 500, page_token what the last page returned")
        before = int(token) if token else 1 << 62
        usage = await self._service.usage(request.access, before, request.page_size or 100)
        return enclave_pb2.GetUsageResponse(
            usages=[
                receipt_pb2.Usage(
                    assessment_id=use.assessment_id,
                    bank_id=use.bank,
                    authorization_digest=use.authorization,
                    purpose=use.purpose,
                    model_id=use.model,
                    charged_at=use.charged_at,
                    centibits=use.centibits,
                    receipt=use.receipt,
                    repeats=use.repeats,
                    proof=_proof(proof),
                )
                for use, proof in zip(usage.uses, usage.proofs, strict=True)
            ],
            budgets=[
                receipt_pb2.Budget(
                    bank_id=bank,
                    limit_centibits=limit,
                    spent_centibits=spent,
                    window_start=usage.window_start,
                )
                for bank, limit, spent in usage.budgets
            ],
            authorizations=[
                authorization_pb2.AuthorizationEntry(
                    authorization=one.token,
                    state=_STATES[one.state],
                    assessments=one.assessments,
                    signed_by=one.signed_by,
                    renewal_due=one.renewal_due,
                    reconfirm_due=one.reconfirm_due,
                    **self._place(one.place),
                )
                for one in usage.granted
            ],
            checkpoint=usage.checkpoint,
            next_page_token="" if usage.following is None else str(usage.following),
        )

    @translated
    async def GetLineage(self, request: Any, context: Any) -> enclave_pb2.GetLineageResponse:
        return enclave_pb2.GetLineageResponse(answer=await self._service.lineage(request.request))

    @translated
    async def GetOwnRecords(self, request: Any, context: Any) -> enclave_pb2.GetOwnRecordsResponse:
        return enclave_pb2.GetOwnRecordsResponse(answer=await self._service.own_records(request.request))

    @translated
    async def GetQuality(self, request: Any, context: Any) -> enclave_pb2.GetQualityResponse:
        matrix, board = self._service.quality()
        return enclave_pb2.GetQualityResponse(
            snapshot_id=matrix.snapshot_id,
            as_of=matrix.as_of,
            least_enterprises=LEAST_ENTERPRISES,
            cells=[
                enclave_pb2.QualityCell(
                    category=cell.category,
                    source=cell.source,
                    month=cell.month,
                    rows=cell.rows,
                    enterprises=cell.enterprises,
                    **cell.shares,
                )
                for cell in (board.cells if board else ())
            ],
        )

    @translated
    async def GetCheckpoint(self, request: Any, context: Any) -> log_pb2.GetCheckpointResponse:
        return log_pb2.GetCheckpointResponse(checkpoint=await self._service.transparency.checkpoint())

    @translated
    async def GetConsistencyProof(self, request: Any, context: Any) -> log_pb2.GetConsistencyProofResponse:
        path = await self._service.transparency.consistency(request.old_size, request.new_size)
        return log_pb2.GetConsistencyProofResponse(path=path)

    @translated
    async def GetInclusion(self, request: Any, context: Any) -> log_pb2.GetInclusionResponse:
        if not 1 <= len(request.entry) <= _MOST_NAME:
            raise Refused(Reason.REQUEST_INVALID, "entry is an assessment id, or the digest of what was signed")
        desk = self._service.transparency
        found = await desk.inclusion(request.access, request.entry, request.tree_size)
        return log_pb2.GetInclusionResponse(
            document=found.document, proof=_proof(found.inclusion), tree_size=found.size
        )

    @translated
    async def GetLogLeaves(self, request: Any, context: Any) -> log_pb2.GetLogLeavesResponse:
        leaves = await self._service.transparency.leaves(request.first, request.count)
        return log_pb2.GetLogLeavesResponse(leaf_hashes=leaves)

    @translated
    async def GetStatusList(self, request: Any, context: Any) -> log_pb2.GetStatusListResponse:
        return log_pb2.GetStatusListResponse(token=await self._service.transparency.status_list(request.number))

    @translated
    async def Assess(self, request: Any, context: Any) -> assessment_pb2.AssessResponse:
        nonce, outcomes = await self._service.assess(request.request, most_items=1)
        if isinstance(outcomes[0], Refused):
            raise outcomes[0]
        return assessment_pb2.AssessResponse(nonce=nonce, outcomes=_outcomes(outcomes), last=True)

    async def AssessMany(
        self, requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[assessment_pb2.AssessResponse]:
        """A few requests of one stream are worked on at once; their outcomes come back in the order of the requests."""
        waiting: asyncio.Queue[asyncio.Task[tuple[str, list[Stored | Refused]]] | None] = asyncio.Queue(_IN_FLIGHT)
        under_way: set[asyncio.Task[Any]] = set()

        async def read() -> None:
            async for request in requests:
                task = asyncio.create_task(self._service.assess(request.request))
                under_way.add(task)
                await waiting.put(task)
            await waiting.put(None)

        reader = asyncio.create_task(read())
        under_way.add(reader)
        try:
            while (task := await _next(waiting, reader)) is not None:
                nonce, outcomes = await task
                under_way.discard(task)
                messages = _outcomes(outcomes)
                for at in range(0, len(messages), _OUTCOMES_A_MESSAGE):
                    part = messages[at : at + _OUTCOMES_A_MESSAGE]
                    last = at + _OUTCOMES_A_MESSAGE >= len(messages)
                    yield assessment_pb2.AssessResponse(nonce=nonce, outcomes=part, last=last)
            return
        except Exception as error:  # the process edge
            wire = wire_error(error)
        finally:
            for left in under_way:
                left.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        await context.abort(wire.code, wire.message, wire.trailing_metadata())


async def _next(
    waiting: "asyncio.Queue[asyncio.Task[tuple[str, list[Stored | Refused]]] | None]", reader: "asyncio.Task[None]"
) -> "asyncio.Task[tuple[str, list[Stored | Refused]]] | None":
    """The next request's work, None at the end; raises what reading the stream raised."""
    getting = asyncio.create_task(waiting.get())
    try:
        await asyncio.wait({getting, reader}, return_when=asyncio.FIRST_COMPLETED)
        if not getting.done() and waiting.empty():
            await reader
        return await getting
    finally:
        getting.cancel()


def _proof(inclusion: Inclusion | None) -> log_pb2.LogProof | None:
    if inclusion is None:
        return None
    return log_pb2.LogProof(salt=inclusion.salt, index=inclusion.index, path=inclusion.path)


def _outcomes(outcomes: Sequence[Stored | Refused]) -> list[assessment_pb2.Outcome]:
    messages = []
    for item, outcome in enumerate(outcomes):
        if isinstance(outcome, Refused):
            refusal = assessment_pb2.Refusal(reason=outcome.reason, message=str(outcome))
            messages.append(assessment_pb2.Outcome(item=item, refusal=refusal))
            continue
        parts = [assessment_pb2.AnswerPart(category=category, answer=frame) for category, frame in outcome.parts]
        assessment = assessment_pb2.Assessment(receipt=outcome.receipt, parts=parts)
        messages.append(assessment_pb2.Outcome(item=item, assessment=assessment))
    return messages
