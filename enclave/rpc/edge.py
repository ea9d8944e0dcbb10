"""What every method of the enclave does: whatever is raised travels as a typed error."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import grpc
import structlog
from xinyidai.framing import FrameError
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError
from xinyidai.status import WireError

from enclave.errors import Refused

log = structlog.get_logger("enclave.rpc")
Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


def wire_error(error: Exception) -> WireError:
    """What the other side may know of an error. Anything unforeseen is logged here and is only "internal" outside."""
    if isinstance(error, Refused | DocumentError):
        return WireError(error.reason, str(error))
    if isinstance(error, FrameError):
        return WireError(Reason(error.reason), str(error))
    log.error("unforeseen error", exc_info=error)
    return WireError(Reason.INTERNAL, "the enclave failed; it has logged why. Try again later")


def translated(method: Method) -> Method:
    """For a method of a servicer."""

    @wraps(method)
    async def call(self: Any, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        try:
            return await method(self, request, context)
        except Exception as error:  # the process edge
            wire = wire_error(error)
        await context.abort(wire.code, wire.message, wire.trailing_metadata())

    return call  # type: ignore[return-value]
