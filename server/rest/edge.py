"""The outermost layer of a request: admission, limits on requests and bodies, errors as problems, one line of log."""

import asyncio
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.accounts.errors import RateLimited
from server.accounts.limits import RateLimiter
from server.admission import Admission
from server.errors import RequestInvalid, RequestTooLarge, explain
from server.rest.problems import problem

MAX_BODY_BYTES: Final = 64 * 1024
_BODY_SECONDS: Final = 10.0
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"strict-transport-security", b"max-age=31536000"),
)
_UNLESS_SAID: Final = (b"cache-control", b"no-store")
log = structlog.get_logger("server.rest")


class Edge:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, admission: Admission, limiter: RateLimiter) -> None:
        self._app = app
        self._admission = admission
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, outcome = time.monotonic(), 0, None

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": _completed(message["headers"])}
            await send(message)

        try:
            self._limiter.take(_address(scope))
            # The body comes first, so that a slow sender holds no place.
            body = await _read_body(receive)
            with self._admission.admit():
                await self._app(scope, _replay(body, receive), sending)
        except Exception as error:  # the process edge
            outcome, detail = explain(error)
            if not status:
                retry_after = error.retry_after if isinstance(error, RateLimited) else None
                await problem(outcome, detail, retry_after=retry_after)(scope, receive, sending)
        spent = round(1000 * (time.monotonic() - started), 1)
        # The path only: queries hold page tokens, headers access tokens.
        log.info("call", method=scope["method"], path=scope["path"], status=status, reason=outcome, milliseconds=spent)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _completed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    said = any(name.lower() == _UNLESS_SAID[0] for name, _ in headers)
    return [*headers, *_HEADERS, *(() if said else (_UNLESS_SAID,))]


async def _read_body(receive: Receive) -> bytes:
    """The whole body. Raises `RequestTooLarge` as soon as it is, `RequestInvalid` when it does not arrive in time."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestInvalid("the connection ended within the body")
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise RequestTooLarge(f"a body is at most {MAX_BODY_BYTES} bytes")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError as error:
        raise RequestInvalid("the body did not arrive in time") from error


def _replay(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replayed() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replayed
