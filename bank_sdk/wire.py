"""The line to the service: channel, errors, and when to try again."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from xinyidai.reasons import Reason
from xinyidai.status import read_error

from bank_sdk.errors import ERROR_OF, InputError, ServiceError, Unavailable, VerificationError

Answer = TypeVar("Answer")

_MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
"""16 outcomes of 21 categories are 5 MB; gRPC's own limit is 4 MiB."""
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_LONGEST_ADVICE_SECONDS: Final = 60.0
MAX_PAGES: Final = 10_000
_BROKEN_LINE: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL)
"""What the library reports when no party said a word. INTERNAL: the stream was reset, or ended while it was written to,
in which case the library forgets the status that was sent."""
_DETAILS_KEY: Final = "grpc-status-details-bin"
_random = secrets.SystemRandom()


def open_channel(target: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", 60_000),
        # The library would repeat calls by itself; whether that is safe is decided here.
        ("grpc.enable_retries", 0),
    ]
    return grpc.aio.secure_channel(target, credentials, options=options)


def service_error(error: grpc.RpcError) -> ServiceError:
    """An RPC error of either side as one of ours."""
    wire = read_error(error)
    status = error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else grpc.StatusCode.UNKNOWN
    details = error.details() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    if wire is None:
        kind = Unavailable if status in _BROKEN_LINE else ServiceError
        found = kind(details or "the service sent no explanation", None, status.name)
    else:
        found = refusal(wire.reason, wire.message)
    if isinstance(found, Unavailable):
        found.retry_after = _retry_advice(error)
    return found


def refusal(reason: str, message: str) -> ServiceError:
    """From the reason of the wire; one this release does not know is a plain `ServiceError`."""
    try:
        known = Reason(reason)
    except ValueError:
        return ServiceError(message, None, reason)
    return ERROR_OF[known](message, known)


def _retry_advice(error: grpc.RpcError) -> float | None:
    """google.rpc.RetryInfo in seconds, bounded: the service must not make a bank wait for ever."""
    metadata = error.trailing_metadata() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    for key, value in metadata or ():
        if key != _DETAILS_KEY:
            continue
        try:
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    advised: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
                    return min(max(advised, 0.0), _LONGEST_ADVICE_SECONDS)
        except DecodeError:
            return None
    return None


class Backoff:
    """Pauses between attempts: doubling, with full jitter, at least what the service advised, within a deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._ceiling = _FIRST_PAUSE_SECONDS

    def remaining(self) -> float:
        """Seconds until the deadline (time.monotonic), at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    async def pause(self, error: Unavailable) -> None:
        """Raises `error` when the next attempt would lie beyond the deadline."""
        wait = (error.retry_after or 0.0) + _random.uniform(0, self._ceiling)
        self._ceiling = min(2 * self._ceiling, _LONGEST_PAUSE_SECONDS)
        if wait >= self.remaining():
            raise error
        await asyncio.sleep(wait)


def checked_request(make_request: Callable[[], Any]) -> Callable[[], Any]:
    """`make_request`, raising `InputError` for what no message can carry."""

    def request() -> Any:
        try:
            return make_request()
        except (ValueError, TypeError) as error:
            raise InputError(f"a value is out of its range: {error}") from error

    return request


async def call(
    method: Callable[..., Awaitable[Answer]], make_request: Callable[[], Any], timeout: float, *, repeatable: bool
) -> Answer:
    """One unary call, with repeats while the service is unavailable if `repeatable`, all within `timeout` seconds.

    `make_request` makes the message anew for each attempt, so that each carries a nonce of its own. Raises
    `ServiceError`.
    """
    backoff = Backoff(time.monotonic() + timeout)
    while True:
        try:
            # What may be sent only once waits for a connection, rather than failing for want of one.
            return await method(make_request(), timeout=backoff.remaining(), wait_for_ready=not repeatable)
        except grpc.RpcError as error:
            found = service_error(error)
            if not repeatable or not isinstance(found, Unavailable):
                raise found from error
        await backoff.pause(found)


async def every_entry(page: Callable[[str], Awaitable[Any]], entries: str, name: Callable[[Any], str]) -> list[Any]:
    """The entries of all pages of a list, first to last. `page`: the answer behind a page token; `entries`: its field
    with the entries; `name`: what no two entries share.

    Raises `ServiceError`, and `VerificationError` for a list that repeats itself or never ends: the service that makes
    it is not believed.
    """
    found: dict[str, Any] = {}
    token = ""
    for _ in range(MAX_PAGES):
        answer = await page(token)
        listed = {name(entry): entry for entry in getattr(answer, entries)}
        if len(listed) != len(getattr(answer, entries)) or not listed.keys().isdisjoint(found):
            raise VerificationError("the service's list repeats entries")
        found |= listed
        if not (token := answer.next_page_token):
            return list(found.values())
        if not listed:
            break
    raise VerificationError("the service's list never ends")
