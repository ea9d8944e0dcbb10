"""The composition root of ingestion and its commands: serve, compact, destroy a category's key, show what is there."""

import argparse
import asyncio
from pathlib import Path
from typing import Any, Final

import grpc
import pyarrow as pa
import structlog
from xinyidai.catalogue import Catalogue
from xinyidai.identifiers import parse_enclave_id
from xinyidai.v1 import records_pb2_grpc

from enclave.authority.deadlines import deadline_rule
from enclave.authority.store import Store
from enclave.authority.trust import Addressee
from enclave.environment import Environment, SoftwareEnvironment, refuse_loose
from enclave.hardening import harden
from enclave.ingest.objections import DepartmentDesk
from enclave.ingest.service import IngestService
from enclave.ingest.servicer import RecordServicer
from enclave.ingest.settings import IngestSettings, departments_of, load_ingest_settings
from enclave.ingest.staging import Staging
from enclave.logs import configure_logging
from enclave.process import add_health, catalogue_of, explained, listen_tls, serve_until_told
from enclave.records.vault import Vault, VaultError
from enclave.records.vault.vault import DAY_SECONDS

_MAX_RECEIVE: Final = 2 * 1024 * 1024
_MAX_STREAMS: Final = 32
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
    catalogue = catalogue_of(settings.catalogue)
    for categories in settings.departments.values():
        for code in categories:
            catalogue.category(code)
    vault = open_vault(settings.data_dir, environment, settings.retention_days)
    vault.recover()
    staging = Staging(
        settings.data_dir / "staging",
        environment,
        vault.keys,
        settings.staging_bytes,
        department_bytes=settings.staging_bytes_per_department,
    )
    staging.clear_category(vault.manifest().destroyed)
    service = IngestService(
        parse_enclave_id(settings.enclave_id),
        departments_of(settings),
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
        Store(settings.data_dir / "authority.sqlite", together=1),
        Addressee(parse_enclave_id(settings.enclave_id), catalogue),
        environment or SoftwareEnvironment(settings.sealing_key),
        departments_of(settings),
        settings.departments,
        deadline_rule(settings.objection_rule),
    )


def build_grpc_server(
    settings: IngestSettings, service: IngestService, desk: DepartmentDesk
) -> tuple[grpc.aio.Server, Any, str]:
    """The server, its health service and the address it is bound to."""
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", _MAX_RECEIVE), ("grpc.max_concurrent_streams", _MAX_STREAMS)]
    )
    records_pb2_grpc.add_RecordServiceServicer_to_server(  # type: ignore[no-untyped-call]
        RecordServicer(service, desk, settings.silence_seconds), server
    )
    probe = add_health(server)
    tls = (settings.tls_certificate, settings.tls_key, settings.departments_ca)
    return server, probe, listen_tls(server, settings.listen, *tls)


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
    codes = tuple(category.code for category in catalogue.categories)
    keeping = asyncio.create_task(_keep_up(service, vault, codes, settings.abandoned_days * DAY_SECONDS))
    await serve_until_told("ingest", server, probe, address)
    keeping.cancel()
    desk.close()


async def _keep_up(service: IngestService, vault: Vault, categories: tuple[str, ...], abandoned: int) -> None:
    while True:
        await asyncio.sleep(_UPKEEP_SECONDS)
        try:
            await asyncio.to_thread(service.remove_abandoned, abandoned)
            await asyncio.to_thread(upkeep, vault, categories)
        except (VaultError, OSError, pa.ArrowException) as error:
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
    with explained("xyd-ingest"):
        _run(chosen, load_ingest_settings(chosen.config))


def _run(chosen: Any, settings: IngestSettings) -> None:
    # Compaction too has records in memory.
    harden()
    if chosen.command == "serve":
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
