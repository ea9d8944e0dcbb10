"""What the other side may know of an error: one wrapper for every method of a service that answers once."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import grpc
from xinyidai.status import WireError

Method = TypeVar("Method", bound=Callable[..., Awaitable[Any]])


def translated(wire_error: Callable[[Exception], WireError]) -> Callable[[Method], Method]:
    """End a call that raised with what `wire_error` makes of it."""

    def wrap(method: Method) -> Method:
        @wraps(method)
        async def call(self: Any, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await method(self, request, context)
            except Exception as error:  # the process edge
                wire = wire_error(error)
            await context.abort(wire.code, wire.message, wire.trailing_metadata())

        return call  # type: ignore[return-value]

    return wrap
