"""An enclave on a network of its own accord answers the platform's server, and no other holder of a certificate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from grpc_health.v1 import health_pb2, health_pb2_grpc
from xinyidai.identity import Identity, Role
from xinyidai.reasons import Reason
from xinyidai.status import read_error
from xinyidai.v1 import enclave_pb2

from clients.dev.authority import Authority
from clients.dev.deployment import ENCLAVE_ID, Deployment
from clients.dev.system import System
from tests.support.bare import write_random_cells
from tests.support.certificates import private_key_pem

SERVICE: Final = enclave_pb2.DESCRIPTOR.services_by_name["EnclaveService"]
IDENTITIES: Final = {
    "bank": Identity(Role.BANK, "bank-a"),
    "enterprise": Identity(Role.ENTERPRISE, "91320703MA00000182"),
    "enclave": Identity(Role.ENCLAVE, ENCLAVE_ID),
    "department": Identity(Role.DEPARTMENT, "swj"),
}


class TcpEnclave:
    def __init__(self, root: Path) -> None:
        self.deployment = Deployment.create(root, enclave={"workers": 1}, tcp=True)
        write_random_cells(self.deployment)
        self.system = System(self.deployment)
        (self.address,) = self.system.enclave.start()

    @contextmanager
    def channel(self, certificate: Path) -> Iterator[grpc.Channel]:
        """`certificate`: PEM, with its key beside it."""
        credentials = grpc.ssl_channel_credentials(
            self.deployment.anchor("enclave").read_bytes(),
            certificate.with_suffix(".key").read_bytes(),
            certificate.read_bytes(),
        )
        with grpc.secure_channel(self.address, credentials) as channel:
            yield channel

    @property
    def server(self) -> Path:
        return self.deployment.root / "server" / "tls.pem"

    def issue(self, authority: str, identity: Identity, folder: Path) -> Path:
        Authority.load(self.deployment.authorities, authority).issue(identity, folder, "caller")
        return folder / "caller.pem"


@pytest.fixture(scope="module")
def enclave(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TcpEnclave]:
    made = TcpEnclave(tmp_path_factory.mktemp("tcp") / "d")
    yield made
    made.system.stop()


def calls(channel: grpc.Channel) -> dict[str, Callable[[], Any]]:
    """Every method the enclave has, with an empty message or none."""
    found: dict[str, Callable[[], Any]] = {}
    for method in SERVICE.methods:
        path = f"/{SERVICE.full_name}/{method.name}"
        call: Any
        if method.client_streaming and method.server_streaming:
            call = channel.stream_stream(path)
            found[method.name] = partial(_all, call)
        elif method.client_streaming:
            call = channel.stream_unary(path)
            found[method.name] = partial(call, iter(()), timeout=10)
        else:
            call = channel.unary_unary(path)
            found[method.name] = partial(call, b"", timeout=10)
    health = health_pb2_grpc.HealthStub(channel)
    found["Check"] = lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=10)
    found["Watch"] = lambda: next(health.Watch(health_pb2.HealthCheckRequest(), timeout=10))
    return found


def _all(call: Any) -> list[Any]:
    return list(call(iter(()), timeout=10))


def outcome(call: Callable[[], Any]) -> grpc.StatusCode | Reason | None:
    """The reason of a refusal, the status of one without, None for an answer."""
    try:
        call()
    except grpc.RpcError as error:
        wire = read_error(error)
        return wire.reason if wire else error.code()
    return None


@pytest.mark.parametrize("role", IDENTITIES)
def test_no_method_answers_another_role_even_if_the_platforms_root_vouches_for_it(
    enclave: TcpEnclave, role: str, tmp_path: Path
) -> None:
    with enclave.channel(enclave.issue("platform", IDENTITIES[role], tmp_path)) as channel:
        outcomes = {name: outcome(call) for name, call in calls(channel).items()}
    assert outcomes == dict.fromkeys(outcomes, Reason.CERTIFICATE_INVALID)


def test_a_certificate_that_names_nobody_is_refused_too(enclave: TcpEnclave, tmp_path: Path) -> None:
    authority = Authority.load(enclave.deployment.authorities, "platform")
    certificate = enclave.issue("platform", IDENTITIES["bank"], tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    nameless = authority.certify(Identity(Role.SERVER, "platform:and:more"), key.public_key())
    certificate.write_bytes(nameless.public_bytes(Encoding.PEM))
    certificate.with_suffix(".key").write_bytes(private_key_pem(key))
    with enclave.channel(certificate) as channel:
        assert outcome(calls(channel)["GetStatus"]) is Reason.CERTIFICATE_INVALID


def test_the_server_reaches_every_method(enclave: TcpEnclave) -> None:
    """Its certificate opens the door; what is asked is judged behind it."""
    with enclave.channel(enclave.server) as channel:
        outcomes = {name: outcome(call) for name, call in calls(channel).items()}
    assert {name for name, found in outcomes.items() if found in (None, Reason.INTERNAL)} == {
        "AssessMany", "Check", "GetCatalogue", "GetCheckpoint", "GetConsistencyProof", "GetQuality", "GetStatus",
        "ListObjectionStates", "PullEvents", "Watch",
    }  # fmt: skip
    assert outcomes["RegisterTrees"] is Reason.REQUEST_INVALID
    assert not {Reason.CERTIFICATE_INVALID, grpc.StatusCode.UNIMPLEMENTED} & set(outcomes.values())


@pytest.mark.parametrize("authority", ["banks", "registrar", "enclave", "departments"])
def test_another_root_does_not_even_connect(enclave: TcpEnclave, authority: str, tmp_path: Path) -> None:
    certificate = enclave.issue(authority, Identity(Role.SERVER, "platform"), tmp_path)
    with enclave.channel(certificate) as channel:
        assert outcome(calls(channel)["GetStatus"]) is grpc.StatusCode.UNAVAILABLE


def test_without_a_certificate_there_is_no_connection(enclave: TcpEnclave) -> None:
    credentials = grpc.ssl_channel_credentials(enclave.deployment.anchor("enclave").read_bytes())
    with grpc.secure_channel(enclave.address, credentials) as channel:
        assert outcome(calls(channel)["GetStatus"]) is grpc.StatusCode.UNAVAILABLE
