"""BankService over gRPC. Thin: who calls, relay, translate errors by one table."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from xinyidai.identifiers import BankId
from xinyidai.v1 import assessment_pb2, authorization_pb2, bank_pb2_grpc, catalogue_pb2, model_pb2

from server.admission import Admission
from server.authorizations.models import State
from server.enterprises.service import parse_enterprise
from server.paging import parse_page
from server.relay.banks import BankRelay
from server.relay.consent import ConsentRelay
from server.rpc.calls import Call, Context, for_bank
from server.rpc.consent import ConsentMethods
from server.rpc.peer import peer_of

_MAX_MODELS = 200
_MAX_AUTHORIZATIONS = 500
_STATES = {
    State.ACTIVE: authorization_pb2.AUTHORIZATION_STATE_ACTIVE,
    State.PAUSED: authorization_pb2.AUTHORIZATION_STATE_PAUSED,
    State.REVOKED: authorization_pb2.AUTHORIZATION_STATE_REVOKED,
    State.EXPIRED: authorization_pb2.AUTHORIZATION_STATE_EXPIRED,
}


class BankServicer(ConsentMethods, bank_pb2_grpc.BankServiceServicer):
    def __init__(self, relay: BankRelay, consent: ConsentRelay, admission: Admission) -> None:
        self.relay = relay
        self.consent = consent
        self.admission = admission

    @for_bank
    async def GetCatalogue(self, bank: BankId, request: Any, context: Context) -> catalogue_pb2.GetCatalogueResponse:
        return await self.relay.catalogue(request, context.time_remaining())

    @for_bank
    async def RegisterModel(self, bank: BankId, request: Any, context: Context) -> model_pb2.RegisterModelResponse:
        return await self.relay.register_model(bank, request, context.time_remaining())

    @for_bank
    async def RegisterTrees(self, bank: BankId, requests: Any, context: Context) -> model_pb2.RegisterModelResponse:
        return await self.relay.register_trees(bank, requests, context.time_remaining())

    @for_bank
    async def ListModels(self, bank: BankId, request: Any, context: Context) -> model_pb2.ListModelsResponse:
        page = parse_page(request.page_size, request.page_token, _MAX_MODELS)
        rows, following = await self.relay.models(bank, page)
        models = [
            model_pb2.Model(
                model_id=row.model_id,
                parameter_set=row.parameter_set,
                catalogue=row.catalogue,
                registered_at=row.registered_at,
            )
            for row in rows
        ]
        return model_pb2.ListModelsResponse(models=models, next_page_token=following.token() if following else "")

    @for_bank
    async def ListAuthorizations(
        self, bank: BankId, request: Any, context: Context
    ) -> authorization_pb2.ListAuthorizationsResponse:
        page = parse_page(request.page_size, request.page_token, _MAX_AUTHORIZATIONS)
        enterprise = parse_enterprise(request.enterprise) if request.enterprise else None
        rows, following = await self.relay.authorizations(bank, enterprise, page)
        entries = [
            authorization_pb2.AuthorizationEntry(
                authorization=row.token,
                state=_STATES[row.state],
                assessments=row.assessments,
                renewal_due=row.renewal_due,
                status_index=row.status_index,
                status_uri=row.status_uri,
            )
            for row in rows
        ]
        return authorization_pb2.ListAuthorizationsResponse(
            authorizations=entries, next_page_token=following.token() if following else ""
        )

    @for_bank
    async def Assess(self, bank: BankId, request: Any, context: Context) -> assessment_pb2.AssessResponse:
        return await self.relay.assess(bank, request, context.time_remaining())

    async def AssessMany(
        self, requests: AsyncIterator[assessment_pb2.AssessRequest], context: Context
    ) -> AsyncIterator[assessment_pb2.AssessResponse]:
        call = Call("AssessMany")
        try:
            peer = peer_of(context.auth_context())
            call.bank = peer.bank
            with self.admission.admit(peer.bank):
                await self.relay.recognize(peer)
                # Closed at once when the bank cancels, so that the enclave stops too.
                async with aclosing(self.relay.assess_many(peer, requests, context.time_remaining())) as answers:
                    async for answer in answers:
                        yield answer
            call.ended("OK")
            return
        except Exception as error:  # the process edge
            wire = call.failed(error)
        await context.abort(wire.code, wire.message, wire.trailing_metadata())
