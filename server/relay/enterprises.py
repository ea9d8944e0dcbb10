"""What enterprises' programs ask for. Nobody is logged in here: every document speaks for itself, to the enclave."""

from dataclasses import dataclass, replace
from typing import Any, Final

from xinyidai.authorization import read_unverified_authorization
from xinyidai.identifiers import Uscc
from xinyidai.lineage import parse_lineage_request
from xinyidai.own_records import parse_own_records_request
from xinyidai.signing import read_unverified
from xinyidai.statements import parse_access, parse_key_registration, parse_statement
from xinyidai.v1 import authorization_pb2, enclave_pb2

from server.audit.models import Kind
from server.audit.service import OK, Event
from server.authorizations.errors import StateUnknown
from server.authorizations.models import State
from server.authorizations.service import keep_authorization, note_replaced, note_state
from server.enclaves import Enclave, Enclaves, UnaryMethod
from server.enterprises.service import note_key, parse_enterprise
from server.relay.journal import Journal

_SEALED_SECONDS: Final = 30.0
_STATES: Final[dict[int, State]] = {
    authorization_pb2.AUTHORIZATION_STATE_ACTIVE: State.ACTIVE,
    authorization_pb2.AUTHORIZATION_STATE_PAUSED: State.PAUSED,
    authorization_pb2.AUTHORIZATION_STATE_REVOKED: State.REVOKED,
    authorization_pb2.AUTHORIZATION_STATE_EXPIRED: State.EXPIRED,
}


def state_of(wire: int) -> State:
    """Raises `StateUnknown`."""
    try:
        return _STATES[wire]
    except KeyError as error:
        raise StateUnknown("the enclave reported a state this version does not know") from error


@dataclass(frozen=True, slots=True)
class KeyRegistered:
    enterprise: Uscc
    key_thumbprint: str


@dataclass(frozen=True, slots=True)
class AuthorizationAccepted:
    digest: str
    state: State
    acknowledgement: str
    """The enclave's, compact JWS."""
    place: tuple[int, str] | None
    """(index, name) of the status list that publishes its state."""


@dataclass(frozen=True, slots=True)
class StatementCarriedOut:
    state: State | None
    """Of the authorization it names; None for a budget and for a dispute."""
    acknowledgement: str


class EnterpriseRelay:
    """Every method takes an untrusted compact JWS and raises `Refused` or `DocumentError`."""

    def __init__(self, enclaves: Enclaves, journal: Journal) -> None:
        self._enclaves = enclaves
        self._journal = journal

    async def register_key(self, raw: str) -> KeyRegistered:
        untrusted = parse_key_registration(read_unverified(raw))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.REGISTER_KEY, OK, enclave.id, enterprise=untrusted.enterprise)
        request = enclave_pb2.RegisterKeyRequest(registration=raw)
        answer = await self._journal.relay(enclave, enclave.stub.RegisterKey, request, event)
        done = KeyRegistered(parse_enterprise(answer.enterprise), answer.key_thumbprint)
        await self._journal.passed(
            event, lambda session, now: note_key(session, done.enterprise, done.key_thumbprint, now)
        )
        return done

    async def submit_authorization(self, raw: str) -> AuthorizationAccepted:
        untrusted = read_unverified_authorization(raw)
        enclave = self._enclaves.choose(untrusted.enclaves)
        event = Event(Kind.SUBMIT_AUTHORIZATION, OK, enclave.id, bank=untrusted.bank, enterprise=untrusted.enterprise)
        request = enclave_pb2.SubmitAuthorizationRequest(authorization=raw)
        answer = await self._journal.relay(enclave, enclave.stub.SubmitAuthorization, request, event)
        # The enclave has verified these very bytes, so what was read from them holds from here on.
        state = state_of(answer.state)
        place = (answer.status_index, answer.status_uri) if answer.status_uri else None
        await self._journal.passed(
            replace(event, authorization=answer.digest),
            lambda session, now: keep_authorization(session, raw, untrusted, state, now, place),
            lambda session, _: note_replaced(session, untrusted),
        )
        return AuthorizationAccepted(answer.digest, state, answer.acknowledgement, place)

    async def submit_statement(self, raw: str) -> StatementCarriedOut:
        untrusted = parse_statement(read_unverified(raw))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(
            Kind.SUBMIT_STATEMENT,
            OK,
            enclave.id,
            bank=untrusted.bank,
            enterprise=untrusted.enterprise,
            authorization=untrusted.authorization,
        )
        request = enclave_pb2.SubmitStatementRequest(statement=raw)
        answer = await self._journal.relay(enclave, enclave.stub.SubmitStatement, request, event)
        if untrusted.authorization is None:
            await self._journal.passed(event)
            return StatementCarriedOut(None, answer.acknowledgement)
        digest, state = untrusted.authorization, state_of(answer.state)
        await self._journal.passed(event, lambda session, _: note_state(session, digest, untrusted.enterprise, state))
        return StatementCarriedOut(state, answer.acknowledgement)

    async def usage(self, raw_access: str, page_size: int, page_token: str) -> enclave_pb2.GetUsageResponse:
        """What the enclave shows to the holder of the enterprise's key. The token is spent: one page, one token."""
        untrusted = parse_access(read_unverified(raw_access))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_USAGE, OK, enclave.id, enterprise=untrusted.enterprise)
        request = enclave_pb2.GetUsageRequest(access=raw_access, page_size=page_size, page_token=page_token)
        answer: enclave_pb2.GetUsageResponse = await self._journal.relay(enclave, enclave.stub.GetUsage, request, event)
        await self._journal.passed(event)
        return answer

    async def lineage(self, raw: str) -> str:
        """The enclave's answer, which only who asked can read. The request is spent."""
        untrusted = parse_lineage_request(read_unverified(raw))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_LINEAGE, OK, enclave.id, enterprise=untrusted.enterprise)
        request = enclave_pb2.GetLineageRequest(request=raw)
        return await self._sealed(enclave, enclave.stub.GetLineage, request, event)

    async def own_records(self, raw: str) -> str:
        """Likewise: what is held about the enterprise."""
        untrusted = parse_own_records_request(read_unverified(raw))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_OWN_RECORDS, OK, enclave.id, enterprise=untrusted.enterprise)
        request = enclave_pb2.GetOwnRecordsRequest(request=raw)
        return await self._sealed(enclave, enclave.stub.GetOwnRecords, request, event)

    async def _sealed(self, enclave: Enclave, method: UnaryMethod, request: Any, event: Event) -> str:
        """An enclave works these out one at a time; who comes in a crowd waits longer than for anything else."""
        answer = await self._journal.relay(enclave.within(_SEALED_SECONDS), method, request, event)
        await self._journal.passed(event)
        return str(answer.answer)
