"""Requests for authorizations, delegates, events and objections, between banks, enterprises and the enclaves."""

from dataclasses import replace

from xinyidai.disputes import parse_objections_request
from xinyidai.events import parse_event_acknowledgement
from xinyidai.identifiers import BankId
from xinyidai.proposals import parse_proposal
from xinyidai.signing import read_unverified
from xinyidai.statements import parse_access
from xinyidai.v1 import consent_pb2

from server.audit.models import Kind
from server.audit.service import OK, Event
from server.db import Database
from server.enclaves import Enclave, Enclaves
from server.errors import PeerMismatch, RequestInvalid
from server.events.service import list_events, note_acknowledged
from server.relay.journal import Journal

_MAX_PAGE = 500


class ConsentRelay:
    """Every method raises `Refused` or `DocumentError`. `remaining`: seconds the bank still waits."""

    def __init__(self, enclaves: Enclaves, database: Database, journal: Journal) -> None:
        self._enclaves, self._database, self._journal = enclaves, database, journal

    async def request_authorization(
        self, bank: BankId, request: consent_pb2.RequestAuthorizationRequest, remaining: float | None
    ) -> consent_pb2.RequestAuthorizationResponse:
        untrusted = parse_proposal(read_unverified(request.request))
        if untrusted.stamp.issuer != bank:
            raise PeerMismatch("the document's issuer is not the bank of this connection")
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.REQUEST_AUTHORIZATION, OK, enclave.id, bank=bank, enterprise=untrusted.enterprise)
        method = enclave.stub.RequestAuthorization
        answer: consent_pb2.RequestAuthorizationResponse = await self._journal.relay(
            enclave, method, request, event, remaining
        )
        await self._journal.passed(replace(event, authorization=answer.digest))
        return answer

    async def events(self, bank: BankId, raw_enclave: str, after: int, count: int) -> list[str]:
        if not 0 <= count <= _MAX_PAGE or after < 0:
            raise RequestInvalid(f"page_size is 1 to {_MAX_PAGE}, after a sequence number")
        enclave = self._enclaves.one(raw_enclave)
        return await self._database.read(list_events, bank, enclave.id, after, count or 100)

    async def acknowledge(
        self, bank: BankId, request: consent_pb2.AcknowledgeEventsRequest, remaining: float | None
    ) -> consent_pb2.AcknowledgeEventsResponse:
        untrusted = parse_event_acknowledgement(read_unverified(request.acknowledgement))
        if untrusted.stamp.issuer != bank:
            raise PeerMismatch("the document's issuer is not the bank of this connection")
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.ACKNOWLEDGE_EVENTS, OK, enclave.id, bank=bank)
        answer: consent_pb2.AcknowledgeEventsResponse = await self._journal.relay(
            enclave, enclave.stub.AcknowledgeEvents, request, event, remaining
        )
        await self._journal.passed(
            event, lambda session, now: note_acknowledged(session, bank, enclave.id, answer.sequence, now)
        )
        return answer

    async def proposals(self, raw_access: str) -> list[str]:
        """What banks ask the enterprise for. The token is spent, here and below."""
        enclave, event = self._reading(raw_access, Kind.READ_PROPOSALS)
        request = consent_pb2.ListProposalsRequest(access=raw_access)
        answer = await self._journal.relay(enclave, enclave.stub.ListProposals, request, event)
        await self._journal.passed(event)
        return list(answer.proposals)

    async def delegations(self, raw_access: str) -> consent_pb2.ListDelegationsResponse:
        enclave, event = self._reading(raw_access, Kind.READ_DELEGATIONS)
        request = consent_pb2.ListDelegationsRequest(access=raw_access)
        answer: consent_pb2.ListDelegationsResponse = await self._journal.relay(
            enclave, enclave.stub.ListDelegations, request, event
        )
        await self._journal.passed(event)
        return answer

    async def objections_of(self, raw_access: str) -> consent_pb2.ListObjectionStatesResponse:
        """How far the enterprise's objections are."""
        enclave, event = self._reading(raw_access, Kind.READ_OBJECTIONS)
        request = consent_pb2.ListObjectionStatesRequest(access=raw_access)
        answer: consent_pb2.ListObjectionStatesResponse = await self._journal.relay(
            enclave, enclave.stub.ListObjectionStates, request, event
        )
        await self._journal.passed(event)
        return answer

    async def objections(self, raw: str) -> str:
        """Both sides of every objection, which only who asked can read. The request is spent."""
        untrusted = parse_objections_request(read_unverified(raw))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_OBJECTIONS, OK, enclave.id, enterprise=untrusted.enterprise)
        request = consent_pb2.GetObjectionsRequest(request=raw)
        answer = await self._journal.relay(enclave, enclave.stub.GetObjections, request, event)
        await self._journal.passed(event)
        return str(answer.answer)

    def _reading(self, raw_access: str, kind: Kind) -> tuple[Enclave, Event]:
        untrusted = parse_access(read_unverified(raw_access))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        return enclave, Event(kind, OK, enclave.id, enterprise=untrusted.enterprise)

    @property
    def clock(self) -> int:
        """Seconds since 1970-01-01 UTC."""
        return self._journal.clock()
