"""The part of EnclaveService about requests, delegates, events and objections. Thin."""

from typing import Any, Final

from xinyidai.reasons import Reason
from xinyidai.v1 import consent_pb2

from enclave.errors import Refused
from enclave.rpc.errors import translated
from enclave.service import EnclaveService

_MAX_PAGE: Final = 1_000
_DEFAULT_PAGE: Final = 100


def _page(size: int, after: int = 0) -> int:
    """Raises `Refused`."""
    if not 0 <= size <= _MAX_PAGE or after < 0:
        raise Refused(Reason.REQUEST_INVALID, f"page_size is 1 to {_MAX_PAGE}, after what the last page ended with")
    return size or _DEFAULT_PAGE


class ConsentMethods:
    _service: EnclaveService

    @translated
    async def RequestAuthorization(self, request: Any, context: Any) -> consent_pb2.RequestAuthorizationResponse:
        digest = await self._service.request_authorization(request.request)
        return consent_pb2.RequestAuthorizationResponse(digest=digest)

    @translated
    async def ListProposals(self, request: Any, context: Any) -> consent_pb2.ListProposalsResponse:
        return consent_pb2.ListProposalsResponse(proposals=await self._service.open_proposals(request.access))

    @translated
    async def ListDelegations(self, request: Any, context: Any) -> consent_pb2.ListDelegationsResponse:
        delegations, acts = await self._service.delegations(request.access)
        return consent_pb2.ListDelegationsResponse(
            delegations=[
                consent_pb2.DelegationEntry(
                    delegate=one.delegate,
                    name=one.name,
                    powers=one.powers,
                    not_after=one.not_after,
                    ended_at=one.ended_at,
                )
                for one in delegations
            ],
            acts=[
                consent_pb2.DelegateAct(delegate=one.delegate, name=one.name, at=one.at, act=one.act, about=one.about)
                for one in acts
            ],
        )

    @translated
    async def PullEvents(self, request: Any, context: Any) -> consent_pb2.PullEventsResponse:
        found = await self._service.events_after(request.after, _page(request.page_size, request.after))
        events = [
            consent_pb2.PulledEvent(position=position, bank_id=bank, sequence=sequence, event=token)
            for position, bank, sequence, token in found
        ]
        return consent_pb2.PullEventsResponse(events=events)

    @translated
    async def AcknowledgeEvents(self, request: Any, context: Any) -> consent_pb2.AcknowledgeEventsResponse:
        held = await self._service.acknowledge_events(request.acknowledgement)
        return consent_pb2.AcknowledgeEventsResponse(sequence=held)

    @translated
    async def GetObjections(self, request: Any, context: Any) -> consent_pb2.GetObjectionsResponse:
        return consent_pb2.GetObjectionsResponse(answer=await self._service.objections(request.request))

    @translated
    async def ListObjectionStates(self, request: Any, context: Any) -> consent_pb2.ListObjectionStatesResponse:
        count = _page(request.page_size, request.after)
        if request.WhichOneof("whose") == "access":
            found = await self._service.objections_of(request.access)
        else:
            found = await self._service.objections_after(request.after, count)
        return consent_pb2.ListObjectionStatesResponse(
            objections=[
                consent_pb2.ObjectionState(
                    objection_id=one.objection_id,
                    enterprise=one.enterprise,
                    state=one.state,
                    opened_at=one.opened_at,
                    transferred_at=one.transferred_at,
                    decide_by=one.decide_by,
                    cap_at=one.cap_at,
                    decided_at=one.decided_at,
                    change=one.change,
                )
                for one in found
            ]
        )
