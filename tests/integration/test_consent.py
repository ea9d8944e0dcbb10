"""A bank asks, an enterprise answers, narrows, pauses and revokes, and the bank is told: over every real part."""

import asyncio
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner
from xinyidai.authorization import read_unverified_authorization
from xinyidai.events import EVENT_TYPE
from xinyidai.identity import Identity, Role
from xinyidai.reasons import Reason
from xinyidai.signing import SigningKey, read_unverified
from xinyidai.v1 import consent_pb2

from bank_sdk import (
    AuthorizationEvent,
    AuthorizationRefused,
    BankClient,
    BankCredentials,
    ConsentClient,
    EventGap,
    KeyStore,
    VerificationError,
    verify_event,
)
from clients.dev.authority import Authority
from clients.dev.deployment import ENCLAVE_ID
from clients.wallet import PlatformRefused, Wallet
from clients.wallet.cli import app
from clients.wallet.terms import GrantTerms
from server.commands import add_bank
from tests.support.bare import BareEnclave
from tests.support.parties import uscc_number
from tests.support.platform import PlatformUnderTest
from tests.support.running import PASSPHRASE, new_wallet

ASKED = ("tax_payment", "tax_credit", "social_insurance")


@dataclass
class Receiver:
    """A bank's own HTTPS server, which wants the platform's certificate and takes nothing while it is down."""

    url: str = ""
    received: list[str] = field(default_factory=list)
    down: bool = True
    turned_away: int = 0


@pytest.fixture(scope="module")
def receiver(bare: BareEnclave) -> Iterator[Receiver]:
    deployment, found = bare.deployment, Receiver()
    folder = deployment.root / "receiver"
    identity = Identity(Role.BANK, "bank-a")
    Authority.load(deployment.authorities, "banks").issue(identity, folder, "tls", listens=True)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            if found.down:
                found.turned_away += 1
            else:
                found.received.append(body)
            self.send_response(503 if found.down else 204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    context.load_verify_locations(deployment.anchor("platform"))
    context.verify_mode = ssl.CERT_REQUIRED
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        found.url = f"https://127.0.0.1:{server.server_address[1]}/events"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def platform(bare: BareEnclave, receiver: Receiver) -> Iterator[PlatformUnderTest]:
    config = bare.deployment.server_config
    config.write_text('events_ca = "../ca/banks.pem"\nevents_seconds = 0.2\n' + config.read_text())
    made = PlatformUnderTest(bare)
    certificate = bare.deployment.bank("bank-a") / "bank.pem"
    add_bank(made.settings, "bank-a", "甲银行", "Bank A", certificate, receiver.url)
    bare.system.grpc_address, bare.system.rest_url = made.grpc_address, made.rest_url
    yield made
    made.close()


@pytest.fixture(scope="module")
def credentials(platform: PlatformUnderTest) -> BankCredentials:
    folder, anchor = platform.bare.deployment.bank("bank-a"), platform.bare.deployment.anchor
    return BankCredentials.from_files(
        folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )


@pytest.fixture
async def bank(
    platform: PlatformUnderTest, credentials: BankCredentials, tmp_path: Any
) -> AsyncIterator[ConsentClient]:
    store = KeyStore(tmp_path / "keys", PASSPHRASE)
    client = await BankClient.connect(platform.grpc_address, credentials, [ENCLAVE_ID], key_store=store, timeout=60)
    async with client:
        yield ConsentClient(client)


@pytest.fixture(scope="module")
def wallet(platform: PlatformUnderTest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wallet]:
    with closing(new_wallet(platform.bare.system, tmp_path_factory.mktemp("w") / "w", uscc_number(1))) as made:
        yield made


async def in_thread(work: Callable[..., Any], *arguments: Any, **rest: Any) -> Any:
    return await asyncio.to_thread(work, *arguments, **rest)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)


async def told(bank: ConsentClient, count: int) -> list[AuthorizationEvent]:
    """The bank's events, once there are so many."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = [event async for event in bank.events()]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.2)
    raise TimeoutError(f"fewer than {count} events")


async def test_from_a_banks_request_to_the_end_of_what_was_granted(
    bank: ConsentClient, wallet: Wallet, credentials: BankCredentials, receiver: Receiver, platform: PlatformUnderTest
) -> None:
    asked = await bank.request(wallet.enterprise, [ENCLAVE_ID], categories=ASKED, max_assessments=3)
    declined = await bank.request(wallet.enterprise, [ENCLAVE_ID], categories=ASKED[:1])
    shown = {one.digest: one for one in await in_thread(wallet.consent.requests)}
    assert set(shown) == {asked, declined} and set(shown[asked].terms.categories) == set(ASKED)
    await in_thread(wallet.consent.reject, declined)

    draft = wallet.consent.accept_draft(shown[asked], categories=ASKED[:2], max_assessments=2)
    assert asked[:16] in wallet.notice(draft) and "最多 2 次" in wallet.notice(draft)
    wide = await in_thread(_refusal, wallet.authorize, replace(draft, max_assessments=9))
    assert wide == Reason.AUTHORIZATION_WIDER
    granted = await in_thread(wallet.authorize, draft)
    narrow = wallet.consent.narrow_draft(granted, categories=ASKED[:1])
    narrowed = await in_thread(wallet.authorize, narrow)
    await in_thread(wallet.pause, narrowed)
    await in_thread(wallet.resume, narrowed)
    await in_thread(wallet.revoke, narrowed)
    states = {one["digest"]: one["state"] for one in await in_thread(wallet.authorizations)}
    assert states == {granted: "revoked", narrowed: "revoked"}

    events = await told(bank, 6)
    assert [(event.kind, event.authorization) for event in events] == [
        ("rejected", None),
        ("authorized", granted),
        ("narrowed", narrowed),
        ("paused", narrowed),
        ("resumed", narrowed),
        ("revoked", narrowed),
    ]
    assert (events[0].request, events[1].request, events[2].parent) == (declined, asked, granted)
    assert events[5].delete_by is not None and events[4].delete_by is None

    # The webhook was down all the while; when it comes up everything arrives, in order, as the enclave signed it.
    await in_thread(until, lambda: receiver.turned_away)
    receiver.down = False
    await in_thread(until, lambda: len(receiver.received) >= 6)
    assert receiver.turned_away and [verify_event(raw, credentials) for raw in receiver.received] == events
    assert await bank.acknowledge(events[3]) == 4
    assert await bank.acknowledge(events[1]) == 4
    noted = {row["kind"] for row in platform.audit()}
    assert {"request_authorization", "read_proposals", "acknowledge_events"} <= noted


def _refusal(work: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(PlatformRefused) as refused:
        work(*arguments)
    return refused.value.reason


async def test_a_lying_platform_is_found_out(bank: ConsentClient, credentials: BankCredentials, wallet: Wallet) -> None:
    for _ in range(2):
        await in_thread(wallet.revoke, await in_thread(_grant, wallet))
    events = await told(bank, 4)
    tokens = [event.token for event in events]

    async def listed(*shown: str) -> list[AuthorizationEvent]:
        async def answer(request: Any, **_: Any) -> consent_pb2.ListEventsResponse:
            return consent_pb2.ListEventsResponse(events=shown if not request.after else ())

        bank._stub.ListEvents = answer
        return [event async for event in bank.events()]

    assert await listed(tokens[0]) == events[:1]
    for left_out in (tokens[1:], [tokens[0], tokens[2]], [tokens[1], tokens[0]], [tokens[0], tokens[0]]):
        with pytest.raises(EventGap):
            await listed(*left_out)
    header, payload, signature = tokens[0].split(".")
    claims = read_unverified(tokens[0]).members
    forged = SigningKey.generate().sign({**claims, "kind": "revoked"}, EVENT_TYPE)
    for untrue in (
        forged,
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{tokens[1].split('.')[1]}.{signature}",
    ):
        with pytest.raises(VerificationError):
            await listed(untrue)


def _grant(wallet: Wallet) -> str:
    return wallet.authorize(wallet.draft(GrantTerms("bank-a")))


async def test_a_bank_is_stopped_from_pressing(bank: ConsentClient, platform: PlatformUnderTest) -> None:
    target = uscc_number(2)
    for _ in range(3):
        await bank.request(target, [ENCLAVE_ID])
    with pytest.raises(AuthorizationRefused) as refused:
        await bank.request(target, [ENCLAVE_ID])
    assert refused.value.reason is Reason.PROPOSAL_LIMIT


def test_a_delegate_acts_within_its_powers_and_is_seen(platform: PlatformUnderTest, wallet: Wallet) -> None:
    accountant = SigningKey.generate("ES256")
    thumbprint = wallet.consent.delegate(accountant.public, ["grant"], 30, "王*")
    draft = read_unverified_authorization(_signed(wallet))
    token = replace(draft, authorization_id="x" * 24).sign(accountant)
    answer = platform.http.post("/v1/authorizations", json={"authorization": token})
    answer.raise_for_status()
    listed = {one["digest"]: one for one in wallet.authorizations()}
    entry = listed[answer.json()["digest"]]
    assert (entry["state"], entry["signed_by"]) == ("active", "王*") and entry["renewal_due"] is False
    wallet.consent.end_delegation(thumbprint)
    again = replace(draft, authorization_id="y" * 24).sign(accountant)
    refused = platform.http.post("/v1/authorizations", json={"authorization": again})
    assert refused.json()["reason"] == Reason.DELEGATION_ENDED
    (found,), (act,) = wallet.consent.delegations()
    assert found["ended_at"] and (act["act"], act["about"]) == ("authorize", entry["digest"])


def _signed(wallet: Wallet) -> str:
    return wallet.sign(wallet.draft(GrantTerms("bank-a", days=31)))


def test_the_wallets_commands_say_the_same(platform: PlatformUnderTest, wallet: Wallet) -> None:
    folder = ["--wallet", str(wallet._folder), "--passphrase", PASSPHRASE]
    digest = _grant(wallet)
    runner = CliRunner(env={"COLUMNS": "200"})
    shown = runner.invoke(app, ["consent", "narrow", digest[:16], "--category", ASKED[0], "--yes", *folder])
    assert shown.exit_code == 0 and f"取代您此前的授权 {digest[:16]}" in shown.output
    for command, words in (("requests", "银行"), ("delegations", "authorize"), ("objections", "答复")):
        shown = runner.invoke(app, ["consent", command, *folder])
        assert shown.exit_code == 0 and words in shown.output
