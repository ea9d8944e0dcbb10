"""The client of the enclaves: deadlines, reconnection, and their errors as ours. It verifies no document; they do."""

import asyncio
from collections.abc import Awaitable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import grpc
import structlog
from xinyidai.identifiers import EnclaveId, parse_enclave_id
from xinyidai.reasons import Reason
from xinyidai.status import read_error
from xinyidai.v1 import alerts_pb2_grpc, catalogue_pb2, enclave_pb2, enclave_pb2_grpc, whitelist_pb2_grpc

from server.errors import AudienceUnknown, EnclaveRefused, EnclaveUnavailable, Refused
from server.settings import ServerSettings

_MAX_RECEIVE: Final = 16 * 1024 * 1024
"""A message of AssessMany: 16 outcomes, by category up to 21 answers of 15 KB each."""
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", _MAX_RECEIVE),
    # gRPC servers close a connection that pings more often than every 5 minutes without data.
    ("grpc.keepalive_time_ms", 310_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # A restarted enclave is found again soon.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)
_NO_ANSWER: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
log = structlog.get_logger("server.enclaves")


class UnaryMethod(Protocol):
    def __call__(self, request: Any, *, timeout: float) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Enclave:
    """One enclave and how long it may take."""

    id: EnclaveId
    stub: enclave_pb2_grpc.EnclaveServiceStub
    channel: grpc.aio.Channel
    deadline_seconds: float
    stream_deadline_seconds: float

    async def call(self, method: UnaryMethod, request: Any, remaining: float | None = None) -> Any:
        """`method` is one of `stub`; `remaining`: seconds the caller still waits. Raises `Refused`."""
        try:
            return await method(request, timeout=_shorter(self.deadline_seconds, remaining))
        except grpc.aio.AioRpcError as error:
            raise translate(self.id, error) from error

    @property
    def white_list(self) -> whitelist_pb2_grpc.EnclaveWhiteListServiceStub:
        return whitelist_pb2_grpc.EnclaveWhiteListServiceStub(self.channel)  # type: ignore[no-untyped-call]

    @property
    def alerts(self) -> alerts_pb2_grpc.EnclaveAlertServiceStub:
        return alerts_pb2_grpc.EnclaveAlertServiceStub(self.channel)  # type: ignore[no-untyped-call]

    def within(self, seconds: float) -> "Enclave":
        """The same enclave for a call that may take so long, if that is longer than the others may."""
        return replace(self, deadline_seconds=max(self.deadline_seconds, seconds))

    def patient(self) -> "Enclave":
        """The same enclave for a call that streams."""
        return replace(self, deadline_seconds=self.stream_deadline_seconds)

    def assess_many(self, remaining: float | None) -> Any:
        """A bidirectional call; read and write it, and translate its errors with `translate`."""
        return self.stub.AssessMany(timeout=_shorter(self.stream_deadline_seconds, remaining))

    async def status(self) -> enclave_pb2.GetStatusResponse:
        """Raises `EnclaveUnavailable`, also when another enclave answers at this address."""
        answer: enclave_pb2.GetStatusResponse = await self.call(self.stub.GetStatus, enclave_pb2.GetStatusRequest())
        if answer.enclave_id != self.id:
            log.error("another enclave answers at this address", configured=self.id)
            raise EnclaveUnavailable(f"enclave {self.id} does not answer; try again later")
        return answer


def translate(enclave: EnclaveId, error: grpc.aio.AioRpcError) -> Refused:
    """The enclave's typed error, or that it gave none."""
    wire = read_error(error)
    if wire is not None:
        return EnclaveRefused(wire.reason, wire.message)
    log.warning("enclave call failed", enclave=enclave, code=error.code().name)
    if error.code() in _NO_ANSWER:
        return EnclaveUnavailable(f"enclave {enclave} does not answer; try again later")
    return EnclaveRefused(Reason.INTERNAL, f"enclave {enclave} failed without a reason; try again later")


def _shorter(ours: float, remaining: float | None) -> float:
    return ours if remaining is None else max(0.0, min(ours, remaining))


class Enclaves:
    """The enclaves of this platform, in the order of the settings."""

    def __init__(self, enclaves: Iterable[Enclave]) -> None:
        self._by_id: Mapping[str, Enclave] = {enclave.id: enclave for enclave in enclaves}

    async def catalogue(
        self, request: catalogue_pb2.GetCatalogueRequest, remaining: float | None = None
    ) -> catalogue_pb2.GetCatalogueResponse:
        """From the first enclave: all of a platform's enclaves work with one catalogue. Raises `Refused`."""
        enclave = next(iter(self._by_id.values()))
        answer: catalogue_pb2.GetCatalogueResponse = await enclave.call(enclave.stub.GetCatalogue, request, remaining)
        return answer

    async def quality(self) -> enclave_pb2.GetQualityResponse:
        """Of the first enclave. Raises `Refused`."""
        enclave = next(iter(self._by_id.values()))
        answer: enclave_pb2.GetQualityResponse = await enclave.call(
            enclave.stub.GetQuality, enclave_pb2.GetQualityRequest()
        )
        return answer

    def each(self) -> tuple[Enclave, ...]:
        return tuple(self._by_id.values())

    def __iter__(self) -> Iterator[Enclave]:
        return iter(self._by_id.values())

    def one(self, raw_id: str) -> Enclave:
        """The enclave of this id; for an empty one, the only enclave there is. Raises `AudienceUnknown`."""
        if not raw_id and len(self._by_id) == 1:
            return next(iter(self))
        return self.choose([raw_id])

    def choose(self, audience: Iterable[str]) -> Enclave:
        """The first enclave named that is one of this platform's. Raises `AudienceUnknown`."""
        for name in audience:
            if name in self._by_id:
                return self._by_id[name]
        raise AudienceUnknown(f"aud names no enclave of this platform; known: {', '.join(self._by_id)}")

    def named(self, enclave: str) -> Enclave:
        """The enclave of this id, or for "" the first. Raises `AudienceUnknown`."""
        return self.choose([enclave] if enclave else self._by_id)

    async def statuses(self) -> list[tuple[EnclaveId, enclave_pb2.GetStatusResponse | None]]:
        """Of every enclave; None where it does not answer."""

        async def ask(enclave: Enclave) -> enclave_pb2.GetStatusResponse | None:
            try:
                return await enclave.status()
            except Refused:
                return None

        answers = await asyncio.gather(*(ask(enclave) for enclave in self._by_id.values()))
        return [(enclave.id, answer) for enclave, answer in zip(self._by_id.values(), answers, strict=True)]

    async def close(self) -> None:
        await asyncio.gather(*(enclave.channel.close() for enclave in self._by_id.values()))


def build_enclaves(settings: ServerSettings) -> Enclaves:
    """Channels connect when first used. Call inside a running event loop. Raises `OSError` for unreadable files."""
    return Enclaves(
        Enclave(
            parse_enclave_id(entry.id),
            enclave_pb2_grpc.EnclaveServiceStub(channel),  # type: ignore[no-untyped-call]
            channel,
            settings.enclave_deadline_seconds,
            settings.stream_deadline_seconds,
        )
        for entry in settings.enclaves
        for channel in (_channel(entry.address, settings),)
    )


def _channel(address: str, settings: ServerSettings) -> grpc.aio.Channel:
    if address.startswith("unix:"):
        # The socket's folder is open to one user only; the enclave refuses to start otherwise.
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(
        root_certificates=settings.enclaves_ca.read_bytes(),
        private_key=settings.tls_key.read_bytes(),
        certificate_chain=settings.tls_certificate.read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
