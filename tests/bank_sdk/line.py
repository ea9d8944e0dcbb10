"""A service between the SDK and a real enclave: it relays, and breaks the line when a test says so."""

from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from xinyidai.identity import Role
from xinyidai.reasons import Reason
from xinyidai.status import WireError
from xinyidai.v1 import authorization_pb2, bank_pb2_grpc, enclave_pb2_grpc

from bank_sdk import BankCredentials
from clients.dev.deployment import Deployment
from tests.support.certificates import make_authority


class BreakingLine(bank_pb2_grpc.BankServiceServicer):
    """`before`, `after`: reasons to fail the next unary calls with, before or after the enclave acted.
    `cut`: (messages to let through, reason) for the next streams."""

    services: tuple[Any, ...] = (bank_pb2_grpc.add_BankServiceServicer_to_server,)

    def __init__(self, socket: Path) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix:{socket}")
        self._enclave = enclave_pb2_grpc.EnclaveServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self.tokens: dict[str, str] = {}
        self.before: deque[Reason] = deque()
        self.after: deque[Reason] = deque()
        self.cut: deque[tuple[int, Reason]] = deque()
        self.requests: list[Any] = []
        self.streams = 0

    async def start(self, deployment: Deployment, folder: Path) -> str:
        authority = make_authority("Service CA")
        leaf = authority.issue(Role.SERVER, "service", localhost=True)
        (folder / "service-ca.pem").write_bytes(authority.pem)
        self._server = grpc.aio.server()
        for add_service in self.services:
            add_service(self, self._server)
        banks = deployment.anchor("banks").read_bytes()
        credentials = grpc.ssl_server_credentials([(leaf.key_pem, leaf.chain_pem)], banks, require_client_auth=True)
        port = self._server.add_secure_port("localhost:0", credentials)
        await self._server.start()
        return f"localhost:{port}"

    async def stop(self) -> None:
        await self._server.stop(None)
        await self._channel.close()

    async def _relay(self, method: Any, request: Any, context: Any) -> Any:
        self.requests.append(request)
        if self.before:
            await _fail(context, self.before.popleft())
        try:
            answer = await method(request)
        except grpc.aio.AioRpcError as error:
            await context.abort(error.code(), error.details(), tuple(error.trailing_metadata() or ()))
        if self.after:
            await _fail(context, self.after.popleft())
        return answer

    async def GetCatalogue(self, request: Any, context: Any) -> Any:
        return await self._relay(self._enclave.GetCatalogue, request, context)

    async def RegisterModel(self, request: Any, context: Any) -> Any:
        return await self._relay(self._enclave.RegisterModel, request, context)

    async def Assess(self, request: Any, context: Any) -> Any:
        return await self._relay(self._enclave.Assess, request, context)

    async def ListAuthorizations(self, request: Any, context: Any) -> Any:
        tokens = [token for enterprise, token in self.tokens.items() if request.enterprise in ("", enterprise)]
        active = authorization_pb2.AUTHORIZATION_STATE_ACTIVE
        entries = [authorization_pb2.AuthorizationEntry(authorization=token, state=active) for token in tokens]
        return authorization_pb2.ListAuthorizationsResponse(authorizations=entries)

    async def AssessMany(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        self.streams += 1
        through, reason = self.cut.popleft() if self.cut else (None, Reason.INTERNAL)
        if through == 0:
            await _fail(context, reason)
        relayed = 0
        async for answer in self._enclave.AssessMany(requests):
            yield answer
            relayed += 1
            if relayed == through:
                await _fail(context, reason)


async def _fail(context: Any, reason: Reason) -> None:
    wire = WireError(reason, "the line broke")
    await context.abort(wire.code, wire.message, wire.trailing_metadata())


def credentials_of(deployment: Deployment, folder: Path) -> BankCredentials:
    bank = deployment.bank("bank-a")
    return BankCredentials.from_files(
        bank / "bank.pem", bank / "bank.key", folder / "service-ca.pem", enclave_ca=deployment.anchor("enclave")
    )
