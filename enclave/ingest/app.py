"""The composition root of ingestion and its commands: serve, compact, destroy a category's key, show what is there."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from xinyidai.catalogue import Catalogue, CatalogueError, builtin_catalogue, load_catalogue
from xinyidai.identifiers import parse_enclave_id
from xinyidai.identity import Role, TrustAnchor
from xinyidai.signing import DocumentError
from xinyidai.v1 import records_pb2_grpc

from enclave.authority.deadlines import deadline_rule
from enclave.authority.store import Store
from enclave.authority.trust import Addressee
from enclave.environment import EnclaveEnvironmentError, Environment, SoftwareEnvironment, refuse_loose
from enclave.hardening import harden
from enclave.ingest.objections import DepartmentDesk
from enclave.ingest.service import IngestService
from enclave.ingest.servicer import RecordServicer
from enclave.ingest.settings import IngestSettings, load_ingest_settings
from enclave.ingest.staging import Staging
from enclave.logs import configure_logging
from enclave.records.vault import Vault, VaultError
from enclave.records.vault.vault import DAY_SECONDS

_MAX_RECEIVE: Final = 2 * 1024 * 1024
_MAX_STREAMS: Final = 32
_STOP_SECONDS: Final = 5
_UPKEEP_SECONDS: Final = 600
_SMALL_SEGMENTS: Final = 16
"""A category with more small segments than this is compacted by itself."""
log = structlog.get_logger("enclave.ingest")


def open_vault(data_dir: Path, environment: Environment, retention_days: int = 30) -> Vault:
    """The vault of an enclave's data folder (0700)."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_loose(data_dir)
    return Vault(data_dir / "vault", environment, retention_seconds=retention_days * DAY_SECONDS)


def build_ingest(
    settings: IngestSettings, *, environment: Environment | None = None
) -> tuple[IngestService, Vault, Catalogue]:
    """Put ingestion together and clean up after a crash. Raises `ValueError` for a category the catalogue lacks."""
    environment = environment or SoftwareEnvironment(settings.sealing_key)
    catalogue = builtin_catalogue() if settings.catalogue == "builtin" else load_catalogue(Path(settings.catalogue))
    for categories in settings.departments.values():
        for code in categories:
            catalogue.category(code)
    vault = open_vault(settings.data_dir, environment, settings.retention_days)
    vault.recover()
    staging = Staging(settings.data_dir / "staging", environment, vault.keys, settings.staging_bytes)
    staging.clear_category(vault.manifest().destroyed)
    service = IngestService(
        parse_enclave_id(settings.enclave_id),
        TrustAnchor.from_pem(Role.DEPARTMENT, settings.departments_ca.read_bytes()),
        settings.departments,
        catalogue,
        vault,
        staging,
        environment,
    )
    return service, vault, catalogue


def build_desk(
    settings: IngestSettings, catalogue: Catalogue, environment: Environment | None = None
) -> DepartmentDesk:
    """Objections, over the authority's database, which the scoring process has open too. Raises `ValueError` for an
    unknown rule of deadlines."""
    return DepartmentDesk(
        Store(settings.data_dir / "authority.sqlite"),
        Addressee(parse_enclave_id(settings.enclave_id), catalogue),
        environment or SoftwareEnvironment(settings.sealing_key),
        TrustAnchor.from_pem(Role.DEPARTMENT, settings.departments_ca.read_bytes()),
        settings.departments,
        deadline_rule(settings.objection_rule),
    )


def build_grpc_server(
    settings: IngestSettings, service: IngestService, desk: DepartmentDesk
) -> tuple[grpc.aio.Server, Any, str]:
    """The server, its health service and the address it is bound to."""
    refuse_loose(settings.tls_key)
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", _MAX_RECEIVE), ("grpc.max_concurrent_streams", _MAX_STREAMS)]
    )
    records_pb2_grpc.add_RecordServiceServicer_to_server(RecordServicer(service, desk), server)  # type: ignore[no-untyped-call]
    probe = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(probe, server)
    credentials = grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_certificate.read_bytes())],
        root_certificates=settings.departments_ca.read_bytes(),
        require_client_auth=True,
    )
    port = server.add_secure_port(settings.listen, credentials)
    return server, probe, f"{settings.listen.rsplit(':', 1)[0]}:{port}"


def upkeep(vault: Vault, categories: tuple[str, ...]) -> None:
    """Compact what has come apart and forget what is past retention."""
    for code in categories:
        vault.compact_if_scattered(code, _SMALL_SEGMENTS)
    vault.expire()


async def serve(settings: IngestSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    service, vault, catalogue = build_ingest(settings)
    desk = build_desk(settings, catalogue)
    server, probe, address = build_grpc_server(settings, service, desk)
    await server.start()
    await probe.set("", health_pb2.HealthCheckResponse.SERVING)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    print(f"ready ingest {address}", flush=True)
    codes = tuple(category.code for category in catalogue.categories)
    keeping = asyncio.create_task(_keep_up(vault, codes))
    await stopping.wait()
    keeping.cancel()
    await server.stop(_STOP_SECONDS)
    desk.close()


async def _keep_up(vault: Vault, categories: tuple[str, ...]) -> None:
    while True:
        await asyncio.sleep(_UPKEEP_SECONDS)
        try:
            await asyncio.to_thread(upkeep, vault, categories)
        except (VaultError, OSError) as error:
            log.error("upkeep failed", kind=type(error).__name__)


def _status(vault: Vault) -> str:
    """Counts alone."""
    manifest = vault.manifest()
    lines = [f"版本 / version {manifest.version}  批次 / batches {len(manifest.batches)}"]
    for category in sorted({segment.category for segment in manifest.segments}):
        live = [one for one in manifest.segments if one.category == category and one.in_version(manifest.version)]
        rows = {kind: sum(one.rows for one in live if one.kind == kind) for kind in ("taken", "quarantined", "waiting")}
        lines.append(
            f"{category}: 入库 / taken {rows['taken']}  隔离 / quarantined {rows['quarantined']}  "
            f"待匹配 / waiting {rows['waiting']}  文件 / segments {len(live)}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="xyd-ingest", description="数据域的归集入口 / Where departments deliver records to the data domain"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "启动归集服务 / serve"),
        ("status", "各类别行数 / rows by category"),
        ("compact", "合并小文件并清理过期版本 / put small segments together, forget expired versions"),
        ("destroy-key", "销毁一类信息的密钥,不可恢复 / destroy a category's key, for good"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True)
        if name == "destroy-key":
            command.add_argument("--category", required=True)
            command.add_argument("--yes", action="store_true", required=True)
    chosen = parser.parse_args(arguments)
    configure_logging()
    try:
        _run(chosen, load_ingest_settings(chosen.config))
    except (EnclaveEnvironmentError, VaultError, DocumentError, CatalogueError, OSError, ValueError) as error:
        sys.exit(f"xyd-ingest: {error}")


def _run(chosen: Any, settings: IngestSettings) -> None:
    os.umask(0o077)
    if chosen.command == "serve":
        harden()
        asyncio.run(serve(settings))
        return
    _, vault, catalogue = build_ingest(settings)
    if chosen.command == "compact":
        for category in catalogue.categories:
            vault.compact(category.code)
        vault.expire()
    elif chosen.command == "destroy-key":
        vault.destroy(catalogue.category(chosen.category).code)
    print(_status(vault))


if __name__ == "__main__":
    main()
