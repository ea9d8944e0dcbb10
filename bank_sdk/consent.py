"""Asking enterprises for authorizations, and following what becomes of them by the enclave's signed events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from xinyidai.authorization import Disclosure
from xinyidai.events import EVENT_TYPE, EventAcknowledgement, parse_event
from xinyidai.events import AuthorizationEvent as SignedEvent
from xinyidai.identifiers import EnclaveId, IdentifierError, parse_enclave_id
from xinyidai.identity import verify_with_chain
from xinyidai.proposals import Proposal, proposal_digest
from xinyidai.purposes import DAY_SECONDS, PURPOSES
from xinyidai.requests import MAX_SKEW_SECONDS
from xinyidai.signing import DocumentError, read_unverified
from xinyidai.v1 import bank_pb2_grpc, consent_pb2

from bank_sdk.client import BankClient
from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import EventGap, InputError, VerificationError
from bank_sdk.questions import Asker, as_enterprise
from bank_sdk.wire import call

_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class AuthorizationEvent:
    """A verified event. `kind` and `initiator` are words of xinyidai.events; times are seconds since 1970-01-01 UTC."""

    enclave: str
    sequence: int
    """1, 2, 3, ... for this bank and enclave, without a gap."""
    event_id: str
    kind: str
    """authorized, revoked, paused, resumed, narrowed, expired or rejected."""
    enterprise: str
    effective_at: int
    initiator: str
    authorization: str | None
    """Hex digest; None for what concerns a request alone."""
    request: str | None
    """Hex digest of the request it answers, as `request` returned it."""
    parent: str | None
    """narrowed: hex digest of the authorization that has ended."""
    delete_by: int | None
    """When what was derived under an authorization that has ended shall be deleted."""
    token: str
    """Compact JWS of the enclave: keep it; it proves what was said when."""


def verify_event(
    raw: str | bytes, credentials: BankCredentials, *, clock: Callable[[], float] = time.time
) -> AuthorizationEvent:
    """What a webhook received, if an enclave signed it for this bank. Raises `VerificationError`.

    The receiver keeps the order itself: an event with a number that is not the next one shows that others are missing
    (fetch them with `ConsentClient.events`), or that it came before. The enclave's certificate is checked for the time
    of the event: an old event stays good.
    """
    token = raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw
    try:
        at = read_unverified(token).instant("iat")
        signed = verify_with_chain(token, EVENT_TYPE, credentials.enclave_anchor, datetime.fromtimestamp(at, UTC))
        event = parse_event(signed.claims)
    except DocumentError as error:
        raise VerificationError(f"the event does not check: {error}") from error
    if signed.identity.name != event.enclave:
        raise VerificationError("the event names another enclave than its certificate")
    if event.bank != credentials.bank:
        raise VerificationError("the event is for another bank")
    if event.effective_at > clock() + MAX_SKEW_SECONDS:
        raise VerificationError("the event is dated in the future; check this machine's clock")
    return _event(event, token)


class ConsentClient:
    """Requests and events over the connection of a `BankClient`, which stays the caller's to close.

    Every method raises `InputError`, `ServiceError` or `VerificationError`.
    """

    def __init__(self, client: BankClient, *, clock: Callable[[], float] = time.time) -> None:
        self._stub: Any = bank_pb2_grpc.BankServiceStub(client.channel)  # type: ignore[no-untyped-call]
        self._credentials, self._timeout, self._clock = client.credentials, client.timeout, clock
        self._asker = Asker(client.credentials, clock)
        self._client = client

    async def request(
        self,
        enterprise: str,
        enclaves: Sequence[str],
        *,
        purpose: str = "loan_origination",
        categories: Sequence[str] = (),
        max_assessments: int = 1,
        valid_days: int = 30,
        by_category: bool = False,
        precision_points: int = 0,
        respond_days: int = 14,
        term_end: int | None = None,
    ) -> str:
        """Ask an enterprise for an authorization; returns the request's digest, which the event that answers it names.

        `categories` empty: all that have features. Ask for no more than the loan needs: the enterprise sees it in plain
        words, and may grant less. Sent once: after `Unavailable` look for events before asking again.
        """
        catalogue = await self._client.catalogue()
        template = PURPOSES.get(purpose)
        if template is None:
            raise InputError("the purpose is one of: " + ", ".join(PURPOSES))
        known = {category.code for category in catalogue.categories if category.features}
        chosen = set(categories) or known
        if not chosen <= known:
            raise InputError("the catalogue has no such category: " + ", ".join(sorted(chosen - known)))
        stamp = self._asker.stamp(tuple(_enclave(name) for name in enclaves))
        proposal = Proposal(
            stamp=stamp,
            enterprise=as_enterprise(enterprise),
            categories=tuple(category.code for category in catalogue.categories if category.code in chosen),
            purpose=template.code,
            purpose_version=template.version,
            disclosure=Disclosure.BY_CATEGORY if by_category else Disclosure.TOTAL,
            precision_points=precision_points,
            max_assessments=max_assessments,
            valid_days=valid_days,
            catalogue=catalogue.reference,
            catalogue_digest=catalogue.digest,
            respond_by=stamp.issued_at + respond_days * DAY_SECONDS,
            term_end=term_end,
        )
        raw = proposal.sign(self._credentials.signing_key)
        request = partial(consent_pb2.RequestAuthorizationRequest, request=raw)
        response = await call(self._stub.RequestAuthorization, request, self._timeout, repeatable=False)
        if response.digest != proposal_digest(raw):
            raise VerificationError("the service answered for another request than was made")
        return str(response.digest)

    async def events(
        self, after: int = 0, *, enclave: str = "", wait: bool = False, every_seconds: float = 5.0
    ) -> AsyncGenerator[AuthorizationEvent, None]:
        """Events behind number `after`, verified and in order; with `wait`, new ones as they come, without an end.

        `enclave`: needed only where the service has several. Raises `EventGap` when the service leaves one out. Keep
        the number of the last event you acted on: at least once is what is promised.
        """
        while True:
            page = partial(consent_pb2.ListEventsRequest, enclave_id=enclave, after=after, page_size=_PAGE)
            response = await call(self._stub.ListEvents, page, self._timeout, repeatable=True)
            for token in response.events:
                event = verify_event(token, self._credentials, clock=self._clock)
                if enclave and event.enclave != enclave:
                    raise VerificationError("the service sent an event of another enclave")
                if event.sequence != after + 1:
                    raise EventGap(after + 1, event.sequence)
                after = event.sequence
                yield event
            if not response.events:
                if not wait:
                    return
                await asyncio.sleep(every_seconds)

    async def acknowledge(self, event: AuthorizationEvent) -> int:
        """Sign to the enclave that this event and every one before it arrived and is acted by; returns the number up to
        which the enclave holds an acknowledgement."""

        def request() -> consent_pb2.AcknowledgeEventsRequest:
            stamp = self._asker.stamp((_enclave(event.enclave),))
            signed = EventAcknowledgement(stamp, event.sequence, event.event_id).sign(self._credentials.signing_key)
            return consent_pb2.AcknowledgeEventsRequest(acknowledgement=signed)

        response = await call(self._stub.AcknowledgeEvents, request, self._timeout, repeatable=True)
        return int(response.sequence)


def _enclave(name: str) -> EnclaveId:
    try:
        return parse_enclave_id(name)
    except IdentifierError as error:
        raise InputError(str(error)) from error


def _event(event: SignedEvent, token: str) -> AuthorizationEvent:
    return AuthorizationEvent(
        enclave=event.enclave,
        sequence=event.sequence,
        event_id=event.event_id,
        kind=str(event.kind),
        enterprise=event.enterprise,
        effective_at=event.effective_at,
        initiator=str(event.initiator),
        authorization=event.authorization,
        request=event.request,
        parent=event.parent,
        delete_by=event.delete_by,
        token=token,
    )
