"""What every method of a service for banks does: admit, recognize, translate errors, one line of log."""

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import grpc
import structlog
from xinyidai.identifiers import BankId
from xinyidai.status import WireError

from server.admission import Admission
from server.errors import explain
from server.relay.banks import BankPeer
from server.rpc.peer import peer_of

Context = grpc.aio.ServicerContext[Any, Any]
Answer = TypeVar("Answer")
log = structlog.get_logger("server.rpc")


class Recognizer(Protocol):
    async def recognize(self, peer: BankPeer) -> BankId:
        """Raises `BankNotRegistered`."""


class Service(Protocol):
    @property
    def relay(self) -> Recognizer: ...

    @property
    def admission(self) -> Admission: ...


Servicer = TypeVar("Servicer", bound=Service)


class Call:
    """One line of log for each call: method, bank, outcome, time; never a document."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._started = time.monotonic()
        self.bank: str | None = None

    def failed(self, error: Exception) -> WireError:
        wire = WireError(*explain(error))
        self.ended(str(wire.reason))
        return wire

    def ended(self, outcome: str) -> None:
        spent = round(1000 * (time.monotonic() - self._started), 1)
        log.info("call", method=self._method, bank=self.bank, outcome=outcome, milliseconds=spent)


def for_bank(
    method: Callable[[Servicer, BankId, Any, Context], Awaitable[Answer]],
) -> Callable[[Servicer, Any, Context], Awaitable[Answer]]:
    """Admit the call, recognize the bank, translate whatever is raised."""

    @wraps(method)
    async def handle(self: Servicer, request: Any, context: Context) -> Answer:
        call = Call(method.__name__)
        try:
            peer = peer_of(context.auth_context())
            call.bank = peer.bank
            with self.admission.admit(peer.bank):
                answer = await method(self, await self.relay.recognize(peer), request, context)
                call.ended("OK")
                return answer
        except Exception as error:  # the process edge
            wire = call.failed(error)
        return await context.abort(wire.code, wire.message, wire.trailing_metadata())

    return handle
