"""What the enclave and its ingestion have in common as programs: settings from a file, a server, an end."""

import asyncio
import signal
import sys
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from xinyidai.catalogue import Catalogue, CatalogueError, builtin_catalogue, load_catalogue
from xinyidai.signing import DocumentError

from enclave.environment import EnclaveEnvironmentError, refuse_loose, refuse_writable
from enclave.errors import Refused
from enclave.matrix import SnapshotError
from enclave.records.vault import VaultError

_STOP_SECONDS: Final = 5
_BUILTIN: Final = "builtin"
_EXPECTED: Final = (
    EnclaveEnvironmentError, SnapshotError, VaultError, DocumentError, CatalogueError, OSError, ValueError, Refused,
)  # fmt: skip


def read_values(path: Path, names_of_paths: Iterable[str]) -> dict[str, Any]:
    """A TOML file whose relative paths are relative to its folder. Raises `ValueError`, `OSError`, and
    `EnclaveEnvironmentError` when others could change it."""
    refuse_writable(path)
    values: dict[str, Any] = tomllib.loads(path.read_text())
    base = path.resolve().parent
    for name in names_of_paths:
        if name in values:
            values[name] = base / values[name]
    if values.get("catalogue", _BUILTIN) != _BUILTIN:
        values["catalogue"] = str(base / values["catalogue"])
    return values


def catalogue_of(name: str) -> Catalogue:
    """`name`: "builtin", or a path. Raises `CatalogueError`, and `EnclaveEnvironmentError` when others could change
    it."""
    if name == _BUILTIN:
        return builtin_catalogue()
    refuse_writable(Path(name))
    return load_catalogue(Path(name))


def add_health(server: grpc.aio.Server) -> Any:
    """The health service of `server`, for `serve_until_told`."""
    probe = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    return probe


def listen_tls(server: grpc.aio.Server, listen: str, certificate: Path, key: Path, callers: Path) -> str:
    """Mutual TLS: callers are those `callers` (PEM) vouches for. Returns the address `server` is bound to."""
    refuse_loose(key)
    refuse_writable(callers)
    credentials = grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=callers.read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port(listen, credentials)
    return f"{listen.rsplit(':', 1)[0]}:{port}"


async def serve_until_told(name: str, server: grpc.aio.Server, probe: Any, address: str) -> None:
    """Say that `name` is ready, serve until SIGTERM or SIGINT, and let calls at work finish."""
    await server.start()
    await probe.set("", health_pb2.HealthCheckResponse.SERVING)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    print(f"ready {name} {address}", flush=True)
    await stopping.wait()
    await server.stop(_STOP_SECONDS)


@contextmanager
def explained(program: str) -> Iterator[None]:
    """The errors a command can end with, as one line and exit status 1; anything else is a fault of ours."""
    try:
        yield
    except _EXPECTED as error:
        sys.exit(f"{program}: {error}")
