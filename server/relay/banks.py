"""What banks ask for. The connection's certificate says which bank calls; the enclave decides by the signatures."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, replace

from xinyidai.identifiers import BankId, Uscc
from xinyidai.requests import AssessmentRequest, Stamp, parse_registration, parse_request
from xinyidai.signing import read_unverified
from xinyidai.streams import without_long_silence
from xinyidai.v1 import assessment_pb2, catalogue_pb2, model_pb2

from server.assessments.models import RegisteredModel
from server.assessments.service import count_assessments, list_models, note_model, read_model_receipt
from server.audit.models import Kind
from server.audit.service import OK, Event
from server.authorizations.models import State
from server.authorizations.service import is_renewal_due, list_authorizations, state_at
from server.banks.service import recognize_bank
from server.db import Database
from server.enclaves import Enclaves
from server.errors import EnclaveRefused, PeerMismatch, RequestInvalid, StreamSilent
from server.paging import Page, Position
from server.relay.journal import Journal
from server.relay.outcomes import drafts, write_outcomes
from server.relay.stream import AssessStream


@dataclass(frozen=True, slots=True)
class BankPeer:
    """The bank at the other end of a connection, as its certificate says; registered or not."""

    bank: str
    certificate_thumbprint: str


@dataclass(frozen=True, slots=True)
class ListedAuthorization:
    token: str
    state: State
    assessments: int
    renewal_due: bool
    """In force, and ends within 30 days."""
    status_index: int | None
    status_uri: str | None


def _check_issuer(stamp: Stamp, bank: BankId) -> None:
    """Raises `PeerMismatch`."""
    if stamp.issuer != bank:
        raise PeerMismatch("the document's issuer is not the bank of this connection")


class BankRelay:
    """Every method raises `Refused` or `DocumentError`. `remaining`: seconds the bank still waits. `silence`: seconds a
    stream of requests may say nothing."""

    def __init__(self, enclaves: Enclaves, database: Database, journal: Journal, silence: float) -> None:
        self._enclaves = enclaves
        self._database = database
        self._journal = journal
        self._silence = silence

    async def recognize(self, peer: BankPeer) -> BankId:
        """Raises `BankNotRegistered`. Asked on every call, so a removed bank is out at once."""
        return await self._database.read(recognize_bank, peer.bank, peer.certificate_thumbprint)

    async def catalogue(
        self, request: catalogue_pb2.GetCatalogueRequest, remaining: float | None = None
    ) -> catalogue_pb2.GetCatalogueResponse:
        return await self._enclaves.catalogue(request, remaining)

    async def register_model(
        self, bank: BankId, request: model_pb2.RegisterModelRequest, remaining: float | None
    ) -> model_pb2.RegisterModelResponse:
        untrusted = parse_registration(read_unverified(request.registration))
        _check_issuer(untrusted.stamp, bank)
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.REGISTER_MODEL, OK, enclave.id, bank=bank)
        answer: model_pb2.RegisterModelResponse = await self._journal.relay(
            enclave, enclave.stub.RegisterModel, request, event, remaining
        )
        return await self._note_model(answer, event)

    async def _note_model(
        self, answer: model_pb2.RegisterModelResponse, event: Event
    ) -> model_pb2.RegisterModelResponse:
        receipt = read_model_receipt(answer.receipt)
        await self._journal.passed(replace(event, model=receipt.model), lambda session, _: note_model(session, receipt))
        return answer

    async def register_trees(
        self, bank: BankId, requests: AsyncIterator[model_pb2.RegisterTreesRequest], remaining: float | None
    ) -> model_pb2.RegisterModelResponse:
        """Message by message, at the enclave's pace: this platform holds one or two of them at a time."""
        untrusted_messages = without_long_silence(requests, self._silence, StreamSilent())
        opening = await anext(untrusted_messages, None)
        if opening is None or opening.WhichOneof("part") != "registration":
            raise RequestInvalid("the first message holds the registration, each other one a frame")
        untrusted = parse_registration(read_unverified(opening.registration))
        _check_issuer(untrusted.stamp, bank)
        enclave = self._enclaves.choose(untrusted.stamp.audience).patient()
        event = Event(Kind.REGISTER_MODEL, OK, enclave.id, bank=bank)

        silence: list[StreamSilent] = []

        async def relayed() -> AsyncIterator[model_pb2.RegisterTreesRequest]:
            """To the enclave a silent stream ends here: it refuses what is not whole, and nothing is cancelled."""
            yield opening
            try:
                async for request in untrusted_messages:
                    yield request
            except StreamSilent as error:
                silence.append(error)

        try:
            answer = await self._journal.relay(enclave, enclave.stub.RegisterTrees, relayed(), event, remaining)
        except EnclaveRefused as error:
            if silence:
                raise silence[0] from error
            raise
        return await self._note_model(answer, event)

    async def models(self, bank: BankId, page: Page) -> tuple[list[RegisteredModel], Position | None]:
        return await self._database.read(list_models, bank, page)

    async def authorizations(
        self, bank: BankId, enterprise: Uscc | None, page: Page
    ) -> tuple[list[ListedAuthorization], Position | None]:
        """States and counts as far as this platform knows them; the enclave's word is final."""
        rows, following = await self._database.read(list_authorizations, bank, enterprise, page)
        counts = await self._database.read(count_assessments, [row.digest for row in rows])
        now = self._journal.clock()
        listed = [
            ListedAuthorization(
                row.token,
                state_at(row, now),
                counts.get(row.digest, 0),
                is_renewal_due(row, now),
                row.status_index,
                row.status_uri,
            )
            for row in rows
        ]
        return listed, following

    async def assess(
        self, bank: BankId, request: assessment_pb2.AssessRequest, remaining: float | None
    ) -> assessment_pb2.AssessResponse:
        untrusted = self._read_request(bank, request.request)
        if len(untrusted.items) != 1:
            raise RequestInvalid("Assess takes one item; use AssessMany for more")
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        (event,) = drafts(untrusted, enclave.id)
        answer: assessment_pb2.AssessResponse = await self._journal.relay(
            enclave, enclave.stub.Assess, request, event, remaining
        )
        await write_outcomes(self._journal, untrusted, enclave.id, answer)
        return answer

    def assess_many(
        self, peer: BankPeer, requests: AsyncIterator[assessment_pb2.AssessRequest], remaining: float | None
    ) -> AsyncGenerator[assessment_pb2.AssessResponse, None]:
        """Close the iterator when the bank goes away: that cancels the call at the enclave."""

        async def check(raw: str) -> AssessmentRequest:
            return self._read_request(await self.recognize(peer), raw)

        return AssessStream(self._enclaves, self._journal, check, remaining, self._silence).relay(requests)

    def _read_request(self, bank: BankId, raw: str) -> AssessmentRequest:
        untrusted = parse_request(read_unverified(raw))
        _check_issuer(untrusted.stamp, bank)
        return untrusted
