"""The part of BankService about requests for authorizations and events. Thin."""

from typing import Any

from xinyidai.identifiers import BankId
from xinyidai.v1 import consent_pb2

from server.admission import Admission
from server.relay.banks import BankRelay
from server.relay.consent import ConsentRelay
from server.rpc.calls import Context, for_bank


class ConsentMethods:
    relay: BankRelay
    admission: Admission
    consent: ConsentRelay

    @for_bank
    async def RequestAuthorization(
        self, bank: BankId, request: Any, context: Context
    ) -> consent_pb2.RequestAuthorizationResponse:
        return await self.consent.request_authorization(bank, request, context.time_remaining())

    @for_bank
    async def ListEvents(self, bank: BankId, request: Any, context: Context) -> consent_pb2.ListEventsResponse:
        found = await self.consent.events(bank, request.enclave_id, request.after, request.page_size)
        return consent_pb2.ListEventsResponse(events=found)

    @for_bank
    async def AcknowledgeEvents(
        self, bank: BankId, request: Any, context: Context
    ) -> consent_pb2.AcknowledgeEventsResponse:
        return await self.consent.acknowledge(bank, request, context.time_remaining())
