"""What banks meet when an enclave hangs, is gone, or is another one; and what a platform at its limit does.

A real enclave does not hang on cue, so here one is scripted behind the real gRPC interface; certificates, server and
channels are the real ones.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from xinyidai.catalogue import builtin_catalogue
from xinyidai.reasons import Reason
from xinyidai.requests import parse_request
from xinyidai.signing import read_unverified
from xinyidai.status import WireError, read_error
from xinyidai.v1 import assessment_pb2, bank_pb2_grpc, catalogue_pb2, enclave_pb2, enclave_pb2_grpc, model_pb2

from clients.dev.deployment import ENCLAVE_ID, Deployment
from server.app import Server, build_server
from server.commands import add_bank, drop_bank
from server.db import migrate
from server.settings import ServerSettings, load_settings
from tests.support.parties import RawBank, uscc_number
from tests.support.platform import audit_rows, bank_credentials


@dataclass
class HangingEnclave(enclave_pb2_grpc.EnclaveServiceServicer):
    """Answers nothing until `go` is set; then refuses every item."""

    name: str = ENCLAVE_ID
    go: asyncio.Event = field(default_factory=asyncio.Event)
    received: list[str] = field(default_factory=list)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    async def GetStatus(self, request: Any, context: Any) -> enclave_pb2.GetStatusResponse:
        return enclave_pb2.GetStatusResponse(enclave_id=self.name, catalogue="c@1", as_of="2026-10-31")

    async def GetCatalogue(self, request: Any, context: Any) -> catalogue_pb2.GetCatalogueResponse:
        self.received.append("catalogue")
        await self.go.wait()
        return catalogue_pb2.GetCatalogueResponse(reference="c@1", document=b"{}")

    async def Assess(self, request: Any, context: Any) -> assessment_pb2.AssessResponse:
        self.received.append(request.request)
        return await self._answer(request)

    async def AssessMany(
        self, requests: AsyncIterator[Any], context: Any
    ) -> AsyncIterator[assessment_pb2.AssessResponse]:
        arrived: asyncio.Queue[Any] = asyncio.Queue()

        async def read() -> None:
            async for request in requests:
                self.received.append(request.request)
                arrived.put_nowait(request)
            arrived.put_nowait(None)

        reader = asyncio.create_task(read())
        try:
            while (request := await arrived.get()) is not None:
                yield await self._answer(request)
        finally:
            reader.cancel()

    async def RegisterTrees(self, requests: AsyncIterator[Any], context: Any) -> model_pb2.RegisterModelResponse:
        """Of an upload that is never whole."""
        self.received += [request.registration async for request in requests]
        wire = WireError(Reason.FRAME_LENGTH, "send all frames")
        await context.abort(wire.code, wire.message, wire.trailing_metadata())
        raise AssertionError("abort raises")

    async def _answer(self, request: Any) -> assessment_pb2.AssessResponse:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        read = parse_request(read_unverified(request.request))
        refusal = assessment_pb2.Refusal(reason=Reason.AUTHORIZATION_UNKNOWN, message="none")
        outcomes = [assessment_pb2.Outcome(item=i, refusal=refusal) for i in range(len(read.items))]
        return assessment_pb2.AssessResponse(nonce=read.stamp.nonce, outcomes=outcomes, last=True)


@dataclass
class Scene:
    deployment: Deployment
    settings: ServerSettings
    bank: RawBank
    server: Server
    stub: bank_pb2_grpc.BankServiceStub
    enclave: HangingEnclave

    def request(self) -> assessment_pb2.AssessRequest:
        return assessment_pb2.AssessRequest(request=self.bank.request("0" * 64, [(uscc_number(1), "0" * 64)]))

    def outcomes(self) -> list[str]:
        return [row["outcome"] for row in audit_rows(self.settings) if row["kind"] == "assess"]

    async def get(self, path: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self.deployment.anchor("platform")))
        async with httpx.AsyncClient(base_url=self.server.rest.url, verify=context, trust_env=False) as http:
            return await http.get(path)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    made = Deployment.create(tmp_path_factory.mktemp("platform") / "d")
    made.issue_bank("bank-a")
    made.enclave_socket.parent.mkdir(mode=0o700)
    yield made


@asynccontextmanager
async def scene(deployment: Deployment, *, listens: bool = True, name: str = ENCLAVE_ID, **changes: Any) -> Any:
    database = deployment.root / "server" / f"{time.monotonic_ns()}.sqlite"
    settings = load_settings(deployment.server_config)
    settings = ServerSettings(**settings.model_dump() | {"database_url": f"sqlite:///{database}"} | changes)
    migrate(f"sqlite:///{database}")
    add_bank(settings, "bank-a", "甲银行", "Bank A", deployment.bank("bank-a") / "bank.pem")
    enclave, enclave_server = HangingEnclave(name), grpc.aio.server()
    enclave_pb2_grpc.add_EnclaveServiceServicer_to_server(enclave, enclave_server)  # type: ignore[no-untyped-call]
    if listens:
        enclave_server.add_insecure_port(f"unix:{deployment.enclave_socket}")
        await enclave_server.start()
    server = build_server(settings)
    await server.start()
    async with grpc.aio.secure_channel(server.banks.address, bank_credentials(deployment, "bank-a")) as channel:
        stub = bank_pb2_grpc.BankServiceStub(channel)  # type: ignore[no-untyped-call]
        yield Scene(deployment, settings, RawBank(deployment.bank("bank-a")), server, stub, enclave)
    enclave.go.set()
    await server.stop()
    await enclave_server.stop(0)


async def reason_of(call: Any) -> Reason | None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    wire = read_error(caught.value)
    return wire.reason if wire else None


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 (what it waits for happens in other tasks' data)
            await asyncio.sleep(0.01)


async def test_an_enclave_that_is_gone_is_said_to_be_unavailable(deployment: Deployment) -> None:
    async with scene(deployment, listens=False) as here:
        assert await reason_of(here.stub.Assess(here.request())) is Reason.ENCLAVE_UNAVAILABLE
        assert here.outcomes() == ["ENCLAVE_UNAVAILABLE"]
        (entry,) = (await here.get("/v1/enclaves")).json()["enclaves"]
        assert (entry["id"], entry["available"], entry["catalogue"]) == (ENCLAVE_ID, False, None)
        ready = await here.get("/readyz")
        assert (ready.status_code, ready.json()["reason"]) == (503, "ENCLAVE_UNAVAILABLE")
        assert (await here.get("/healthz")).status_code == 200
        # What needs no enclave goes on.
        assert list((await here.stub.ListModels(model_pb2.ListModelsRequest())).models) == []


async def test_an_enclave_that_hangs_costs_a_bank_the_deadline_and_no_more(deployment: Deployment) -> None:
    async with scene(deployment, enclave_deadline_seconds=0.3) as here:
        started = time.monotonic()
        assert await reason_of(here.stub.Assess(here.request())) is Reason.ENCLAVE_UNAVAILABLE
        assert 0.25 < time.monotonic() - started < 3
        assert here.outcomes() == ["ENCLAVE_UNAVAILABLE"]


async def test_another_enclave_at_the_address_is_not_taken_for_the_right_one(deployment: Deployment) -> None:
    async with scene(deployment, name="nanjing-1") as here:
        (entry,) = (await here.get("/v1/enclaves")).json()["enclaves"]
        assert (entry["id"], entry["available"]) == (ENCLAVE_ID, False)


@pytest.mark.parametrize(("certificate", "available"), [("enclave/tls", True), ("banks/bank-a/bank", False)])
async def test_over_a_network_server_and_enclave_know_each_other_by_certificate(
    deployment: Deployment, certificate: str, available: bool
) -> None:
    key, chain = (deployment.root / f"{certificate}.{end}" for end in ("key", "pem"))
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), chain.read_bytes())], deployment.anchor("platform").read_bytes(), require_client_auth=True
    )
    enclave, enclave_server = HangingEnclave(), grpc.aio.server()
    enclave_pb2_grpc.add_EnclaveServiceServicer_to_server(enclave, enclave_server)  # type: ignore[no-untyped-call]
    port = enclave_server.add_secure_port("127.0.0.1:0", credentials)
    await enclave_server.start()
    address = {"id": ENCLAVE_ID, "address": f"localhost:{port}"}
    async with scene(deployment, listens=False, enclaves=[address], enclave_deadline_seconds=2) as here:
        (entry,) = (await here.get("/v1/enclaves")).json()["enclaves"]
        assert entry["available"] is available
    await enclave_server.stop(0)


async def test_each_edge_has_a_limit_of_its_own_says_so_and_recovers(deployment: Deployment) -> None:
    async with scene(deployment, max_concurrent_calls=1) as here:
        waiting = here.stub.Assess(here.request())
        await until(lambda: here.enclave.received)
        assert await reason_of(here.stub.ListModels(model_pb2.ListModelsRequest())) is Reason.OVERLOADED
        assert (await here.get("/v1/banks")).status_code == 200
        public = asyncio.create_task(here.get("/v1/catalogue"))
        await until(lambda: "catalogue" in here.enclave.received)
        answer = await here.get("/v1/banks")
        assert (answer.status_code, answer.json()["reason"]) == (503, "OVERLOADED")
        assert answer.headers["retry-after"] == "1"
        here.enclave.go.set()
        assert len((await waiting).outcomes) == 1 and (await public).status_code == 200
        assert (await here.get("/v1/banks")).status_code == 200


@pytest.mark.parametrize("method", ["Assess", "AssessMany"])
async def test_a_bank_that_goes_away_stops_the_enclave_and_is_noted(deployment: Deployment, method: str) -> None:
    async with scene(deployment, max_concurrent_calls=1) as here:
        call = here.stub.Assess(here.request()) if method == "Assess" else here.stub.AssessMany()
        if method == "AssessMany":
            await call.write(here.request())
        await until(lambda: here.enclave.received)
        call.cancel()
        await asyncio.wait_for(here.enclave.cancelled.wait(), 5)
        await until(lambda: here.outcomes() == ["CANCELLED"])
        # Its place is free again.
        assert list((await here.stub.ListModels(model_pb2.ListModelsRequest())).models) == []


async def test_a_stream_takes_no_more_than_the_enclave_can_work_on(deployment: Deployment) -> None:
    async with scene(deployment) as here:
        requests = [here.request() for _ in range(40)]
        call = here.stub.AssessMany(iter(requests))
        await until(lambda: len(here.enclave.received) >= 8)
        await asyncio.sleep(0.5)
        assert len(here.enclave.received) == 8
        here.enclave.go.set()
        assert [answer.nonce async for answer in call] == [
            parse_request(read_unverified(sent.request)).stamp.nonce for sent in requests
        ]
        assert here.outcomes() == ["AUTHORIZATION_UNKNOWN"] * 40


async def test_a_bank_removed_during_a_stream_is_out_at_its_next_request(deployment: Deployment) -> None:
    async with scene(deployment) as here:
        here.enclave.go.set()
        call = here.stub.AssessMany()
        await call.write(here.request())
        assert (await call.read()).last
        drop_bank(here.settings, "bank-a")
        await call.write(here.request())
        assert await reason_of(call.read()) is Reason.BANK_NOT_REGISTERED
        assert len(here.enclave.received) == 1


async def test_one_stream_does_not_bear_the_same_request_twice(deployment: Deployment) -> None:
    async with scene(deployment) as here:
        call, request = here.stub.AssessMany(), here.request()
        await call.write(request)
        await call.write(request)
        assert await reason_of(call.read()) is Reason.REQUEST_INVALID
        assert here.outcomes() == ["REQUEST_INVALID"]


async def test_a_stopping_platform_finishes_what_is_at_work(deployment: Deployment) -> None:
    async with scene(deployment) as here:
        waiting = here.stub.Assess(here.request())
        await until(lambda: here.enclave.received)
        stopping = asyncio.create_task(here.server.banks.stop(5))
        await asyncio.sleep(0.1)
        here.enclave.go.set()
        assert len((await waiting).outcomes) == 1
        await stopping


async def test_a_key_that_others_can_read_is_refused(deployment: Deployment, tmp_path: Path) -> None:
    settings = load_settings(deployment.server_config)
    loose = tmp_path / "tls.key"
    loose.write_bytes(settings.tls_key.read_bytes())
    loose.chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        build_server(settings.model_copy(update={"tls_key": loose}))


@pytest.mark.parametrize("method", ["AssessMany", "RegisterTrees"])
async def test_a_stream_that_never_says_anything_gives_its_place_back(deployment: Deployment, method: str) -> None:
    async with scene(deployment, max_concurrent_calls=1, stream_silence_seconds=1) as here:
        call = getattr(here.stub, method)()
        await until_overloaded(here)
        assert await reason_of(call.read() if method == "AssessMany" else call) is Reason.OVERLOADED
        assert here.enclave.received == []
        assert list((await here.stub.ListModels(model_pb2.ListModelsRequest())).models) == []


async def test_a_stream_that_falls_silent_is_closed_on_both_sides(deployment: Deployment) -> None:
    async with scene(deployment, stream_silence_seconds=0.5) as here:
        call = here.stub.AssessMany()
        await call.write(here.request())
        assert await reason_of(call.read()) is Reason.OVERLOADED
        await asyncio.wait_for(here.enclave.cancelled.wait(), 5)
        assert here.outcomes() == ["OVERLOADED"]


async def test_a_stream_that_is_answered_late_but_goes_on_asking_is_kept(deployment: Deployment) -> None:
    """Silence is what the bank does not say; the enclave may take its time."""
    async with scene(deployment, stream_silence_seconds=0.8) as here:
        call = here.stub.AssessMany()
        for _ in range(4):
            await call.write(here.request())
            await asyncio.sleep(0.3)
        here.enclave.go.set()
        await call.done_writing()
        assert len([answer async for answer in call]) == 4


async def test_an_upload_of_a_model_that_falls_silent_is_closed_on_both_sides(deployment: Deployment) -> None:
    async with scene(deployment, stream_silence_seconds=0.5) as here:
        call = here.stub.RegisterTrees()
        signed = here.bank.registration(b"", b"", builtin_catalogue())
        await call.write(model_pb2.RegisterTreesRequest(registration=signed))
        assert await reason_of(call) is Reason.OVERLOADED
        assert here.enclave.received == [signed], "the enclave saw the stream end"
        noted = [row["outcome"] for row in audit_rows(here.settings) if row["kind"] == "register_model"]
        assert noted == ["FRAME_LENGTH"]


async def until_overloaded(here: Scene) -> None:
    """Until the one place there is, is taken."""
    async with asyncio.timeout(30):
        while True:
            try:
                await here.stub.ListModels(model_pb2.ListModelsRequest())
            except grpc.aio.AioRpcError as error:
                wire = read_error(error)
                assert wire is not None and wire.reason is Reason.OVERLOADED
                return
