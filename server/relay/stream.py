"""Relaying AssessMany: both directions at once, with backpressure, and nothing left running when either side leaves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

import grpc
from xinyidai.requests import AssessmentRequest
from xinyidai.streams import without_long_silence
from xinyidai.v1 import assessment_pb2

from server.audit.service import CANCELLED
from server.enclaves import Enclave, Enclaves, translate
from server.errors import EnclaveUnavailable, Refused, RequestInvalid, StreamSilent
from server.relay.journal import Journal
from server.relay.outcomes import drafts, write_outcomes

_IN_FLIGHT: Final = 8
"""Requests of one stream the enclave has not finished with; the next one is not even read before."""
Check = Callable[[str], Awaitable[AssessmentRequest]]


class AssessStream:
    """One stream of one bank. Use it once."""

    def __init__(
        self, enclaves: Enclaves, journal: Journal, check: Check, remaining: float | None, silence: float
    ) -> None:
        """`remaining`: seconds the bank still waits; `silence`: seconds this platform waits for its next request."""
        self._enclaves = enclaves
        self._journal = journal
        self._check = check
        self._remaining = remaining
        self._silence = silence
        self._pending: dict[str, AssessmentRequest] = {}
        self._slots = asyncio.Semaphore(_IN_FLIGHT)

    async def relay(
        self, requests: AsyncIterator[assessment_pb2.AssessRequest]
    ) -> AsyncGenerator[assessment_pb2.AssessResponse, None]:
        """Raises `Refused` or `DocumentError`. The first request chooses the enclave for the whole stream."""
        requests = without_long_silence(requests, self._silence, StreamSilent())
        first = await anext(requests, None)
        if first is None:
            return
        request = await self._check(first.request)
        enclave = self._enclaves.choose(request.stamp.audience)
        call = enclave.assess_many(self._remaining)
        pump = asyncio.create_task(self._pump(call, enclave, (first, request), requests))
        outcome = CANCELLED
        try:
            while (answer := await self._read(call, enclave, pump)) is not None:
                await self._settle(enclave, answer)
                yield answer
            await pump
        except Refused as error:
            outcome = str(error.reason)
            raise
        finally:
            pump.cancel()
            call.cancel()
            await self._abandon(enclave, outcome)

    async def _pump(
        self,
        call: Any,
        enclave: Enclave,
        first: tuple[assessment_pb2.AssessRequest, AssessmentRequest],
        rest: AsyncIterator[assessment_pb2.AssessRequest],
    ) -> None:
        try:
            await self._send(call, *first)
            async for message in rest:
                request = await self._check(message.request)
                if self._enclaves.choose(request.stamp.audience) is not enclave:
                    raise RequestInvalid("one stream goes to one enclave; open another stream for the other")
                await self._send(call, message, request)
            await call.done_writing()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The call has ended; whoever reads it learns why.
            return
        except BaseException:
            call.cancel()
            raise

    async def _send(self, call: Any, message: assessment_pb2.AssessRequest, request: AssessmentRequest) -> None:
        await self._slots.acquire()
        if request.stamp.nonce in self._pending:
            raise RequestInvalid("two requests of this stream bear the same jti")
        self._pending[request.stamp.nonce] = request
        await call.write(message)

    async def _read(
        self, call: Any, enclave: Enclave, pump: asyncio.Task[None]
    ) -> assessment_pb2.AssessResponse | None:
        try:
            answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise translate(enclave.id, error) from error
        except asyncio.CancelledError:
            # Either somebody cancels us, or the pump cancelled the call because it failed.
            if pump.done() and not pump.cancelled() and (failure := pump.exception()) is not None:
                raise failure from None
            raise
        return None if answer is grpc.aio.EOF else answer

    async def _settle(self, enclave: Enclave, answer: assessment_pb2.AssessResponse) -> None:
        request = self._pending.get(answer.nonce)
        if request is None:
            raise EnclaveUnavailable(f"enclave {enclave.id} answered a request that was not asked")
        await write_outcomes(self._journal, request, enclave.id, answer)
        if answer.last:
            del self._pending[answer.nonce]
            self._slots.release()

    async def _abandon(self, enclave: Enclave, outcome: str) -> None:
        """Note what was sent and not answered; the enclave may have charged for it."""
        events = [
            replace(draft, outcome=outcome)
            for request in self._pending.values()
            for draft in drafts(request, enclave.id)
        ]
        self._pending.clear()
        if events:
            await self._journal.write("abandoned assessments", events)
