"""The enclave's composition root and its commands: `load` a snapshot, `serve`."""

import argparse
import asyncio
import fcntl
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import grpc
import structlog
from xinyidai.identifiers import parse_enclave_id, parse_uscc
from xinyidai.identity import Role, TrustAnchor, identity_of, load_chain
from xinyidai.signing import SigningKey
from xinyidai.v1 import alerts_pb2_grpc, enclave_pb2_grpc, whitelist_pb2_grpc

from enclave.authority.deadlines import deadline_rule
from enclave.authority.disputes import dispute_key
from enclave.authority.epochs import current_epoch, rotate_epoch
from enclave.authority.grants import reset_key
from enclave.authority.models import model_frames
from enclave.authority.store import Store
from enclave.authority.trees import TreeStore
from enclave.authority.trust import Trust
from enclave.environment import EnclaveEnvironmentError, Environment, SoftwareEnvironment, refuse_loose, refuse_writable
from enclave.hardening import harden, leave_network
from enclave.lineage.answer import LineageDesk
from enclave.lineage.rows_in_force import RowDesk, row_now
from enclave.logs import configure_logging
from enclave.matrix import SnapshotStore
from enclave.objections import ObjectionDesk
from enclave.own_data.desk import OwnDataDesk
from enclave.process import add_health, catalogue_of, explained, listen_tls, serve_until_told
from enclave.rpc.outreach import OutreachServicer
from enclave.rpc.peers import OnlyTheServer
from enclave.rpc.servicer import EnclaveServicer
from enclave.scoring.evaluator import Evaluator
from enclave.scoring.pool import WorkerPool
from enclave.service import Deadlines, EnclaveService
from enclave.settings import EnclaveSettings, load_settings
from enclave.whitelist.lists import ListRules

_MAX_RECEIVE: Final = 256 * 1024
_UPKEEP_SECONDS: Final = 1.0
Frames = Callable[[str], Awaitable[tuple[bytes, bytes]]]
log = structlog.get_logger("enclave.app")


def build_trust(settings: EnclaveSettings) -> Trust:
    """Read keys and anchors. Raises `EnclaveEnvironmentError` for loose permissions, `DocumentError` for bad files."""
    refuse_loose(settings.receipt_key)
    for path in (settings.banks_ca, settings.registrar_ca, settings.platform_ca, settings.receipt_certificate):
        refuse_writable(path)
    chain = load_chain(settings.receipt_certificate.read_bytes())
    identity = identity_of(chain[0])
    if (identity.role, identity.name) != (Role.ENCLAVE, settings.enclave_id):
        raise EnclaveEnvironmentError("the receipt certificate names another enclave")
    return Trust(
        enclave_id=parse_enclave_id(settings.enclave_id),
        banks=TrustAnchor.from_pem(Role.BANK, settings.banks_ca.read_bytes()),
        registrar=TrustAnchor.from_pem(Role.ENTERPRISE, settings.registrar_ca.read_bytes()),
        catalogue=catalogue_of(settings.catalogue),
        receipt_key=SigningKey.from_pem(settings.receipt_key.read_bytes(), chain=chain),
        budget_bank_centibits=100 * settings.budget_bank_bits,
        budget_total_centibits=100 * settings.budget_total_bits,
        most_models=settings.models_per_bank,
        most_trees=settings.trees_per_bank,
        seal_limit_seconds=settings.seal_limit_seconds,
    )


async def build_enclave(
    settings: EnclaveSettings,
    *,
    environment: Environment | None = None,
    build_evaluator: Callable[[Frames], Evaluator] | None = None,
) -> EnclaveService:
    """Put the enclave together. The environment and the evaluator are arguments, so that a confidential VM, or a
    benchmark's plaintext twin, can stand in."""
    environment = environment or SoftwareEnvironment(settings.sealing_key)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_loose(settings.data_dir)
    trust = build_trust(settings)
    store = Store(settings.data_dir / "authority.sqlite")

    key = await store.run(dispute_key, environment)

    async def frames(model_id: str) -> tuple[bytes, bytes]:
        return await store.run(model_frames, model_id)

    trees = TreeStore(settings.data_dir / "trees")
    evaluator = build_evaluator(frames) if build_evaluator else WorkerPool(settings.workers, frames, trees.root)
    service = EnclaveService(
        trust,
        store,
        SnapshotStore(settings.data_dir / "snapshots", trust.catalogue),
        environment,
        evaluator,
        await store.run(current_epoch, environment),
        trees,
        Deadlines(
            settings.answer_deadline_ms / 1000,
            settings.answer_deadline_per_item_ms / 1000,
            settings.answer_deadline_trees_ms / 1000,
        ),
        LineageDesk(settings.data_dir, trust, environment, key),
        ListRules(60 * settings.white_list_lifetime_minutes, settings.white_list_standing_days),
        RowDesk(settings.data_dir, trust, environment, store),
        ObjectionDesk(store, trust, environment, deadline_rule(settings.objection_rule)),
        OwnDataDesk(settings.data_dir, trust, environment, key.public),
    )
    await service.transparency.open()
    return service


def build_grpc_server(settings: EnclaveSettings, service: EnclaveService) -> tuple[grpc.aio.Server, Any, str]:
    """The server, its health service and the address it is bound to."""
    on_socket = settings.listen.startswith("unix:")
    server = grpc.aio.server(
        options=[("grpc.max_receive_message_length", _MAX_RECEIVE)],
        interceptors=[] if on_socket else [OnlyTheServer()],
    )
    enclave_pb2_grpc.add_EnclaveServiceServicer_to_server(EnclaveServicer(service), server)  # type: ignore[no-untyped-call]
    outreach = OutreachServicer(service.outreach)
    whitelist_pb2_grpc.add_EnclaveWhiteListServiceServicer_to_server(outreach, server)  # type: ignore[no-untyped-call]
    alerts_pb2_grpc.add_EnclaveAlertServiceServicer_to_server(outreach, server)  # type: ignore[no-untyped-call]
    probe = add_health(server)
    if on_socket:
        path = Path(settings.listen.removeprefix("unix:"))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        refuse_loose(path.parent)
        path.unlink(missing_ok=True)
        server.add_insecure_port(settings.listen)
        return server, probe, settings.listen
    tls = (settings.tls_certificate, settings.tls_key, settings.platform_ca)
    return server, probe, listen_tls(server, settings.listen, *tls)


@contextmanager
def sole_owner(data_dir: Path) -> Iterator[None]:
    """One enclave is one ledger: hold the data folder until the process ends, however it ends.

    Raises `EnclaveEnvironmentError` when another process holds it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_loose(data_dir)
    handle = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise EnclaveEnvironmentError(
            "另一个数据域服务正在使用此目录,请先停止它 / another enclave uses this folder; stop it first"
        ) from error
    finally:
        os.close(handle)


async def serve(settings: EnclaveSettings, *, build_evaluator: Callable[[Frames], Evaluator] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    with sole_owner(settings.data_dir):
        service = await build_enclave(settings, build_evaluator=build_evaluator)
        server, probe, address = build_grpc_server(settings, service)
        keeping = asyncio.create_task(_keep_up(service))
        sealing = asyncio.create_task(service.transparency.seal_for_ever(settings.seal_interval_seconds))
        await serve_until_told("enclave", server, probe, address)
        for task in (keeping, sealing):
            task.cancel()
        await asyncio.gather(keeping, sealing, return_exceptions=True)
        await service.transparency.seal()
        await service.close()


async def _keep_up(service: EnclaveService) -> None:
    while True:
        try:
            await service.upkeep()
        except Exception as error:  # the process edge
            log.error("upkeep failed; it is tried again", kind=type(error).__name__)
        await asyncio.sleep(_UPKEEP_SECONDS)


def protect(settings: EnclaveSettings) -> None:
    """Before any thread and any secret."""
    on_socket = settings.listen.startswith("unix:")
    isolated = leave_network(settings.isolate_network) if on_socket else False
    harden()
    (log.info if isolated else log.warning)("hardened", core_dumps=False, network_isolated=isolated)


def _load(settings: EnclaveSettings, records: Path | None, as_of: date) -> None:
    from enclave.commands import load

    environment = SoftwareEnvironment(settings.sealing_key)
    print(load(settings.data_dir, catalogue_of(settings.catalogue), environment, records, as_of).text())


def _disputes(chosen: Any, settings: EnclaveSettings) -> str:
    from enclave.commands import decide_dispute, dispute_counts, open_disputes
    from enclave.ingest.settings import load_ingest_settings

    environment = SoftwareEnvironment(settings.sealing_key)
    if chosen.command == "disputes" and chosen.department is None:
        return dispute_counts(settings.data_dir, environment)
    if chosen.ingest is None:
        raise ValueError("--department needs --ingest")
    ingest = load_ingest_settings(chosen.ingest)
    if chosen.command == "disputes":
        return open_disputes(settings.data_dir, environment, ingest, chosen.department)
    raw = chosen.decision.read_text()
    return decide_dispute(settings.data_dir, build_trust(settings), environment, ingest, raw)


def _lineage_counts(settings: EnclaveSettings, feature: str) -> str:
    from enclave.commands import lineage_counts

    environment = SoftwareEnvironment(settings.sealing_key)
    return lineage_counts(settings.data_dir, catalogue_of(settings.catalogue), environment, feature)


def _cells(settings: EnclaveSettings, enterprise: str) -> str:
    """What an assessment would use, for whoever holds the records anyway: answers a dispute, and checks a score."""
    catalogue = catalogue_of(settings.catalogue)
    snapshots = SnapshotStore(settings.data_dir / "snapshots", catalogue)
    matrix = snapshots.open(snapshots.current_id())
    store = Store(settings.data_dir / "authority.sqlite")
    try:
        row = asyncio.run(store.run(row_now, matrix, enterprise))
    finally:
        store.close()
    if enterprise not in matrix:
        print("没有该企业的任何记录 / nobody holds records of this enterprise", file=sys.stderr)
    return json.dumps({feature.code: int(cell) for feature, cell in zip(catalogue.features, row, strict=True)})


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="xyd-enclave", description="数据域内的评估服务 / The enclave of the data domain"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "启动服务 / serve"),
        ("load", "载入记录并生成特征快照 / load records and build a snapshot"),
        ("rotate-epoch", "更换掩码密钥 / destroy the mask key and make a new one"),
        (
            "reset-key",
            "企业遗失密钥:取消登记并撤销其全部授权 / an enterprise lost its key: unpin it, revoke its grants",
        ),
        ("cells", "供数据持有方核对:一家企业的特征分箱 / for the data holder: the cells of one enterprise, as JSON"),
        ("lineage-counts", "一个特征所用记录的计数 / how many records a feature was made from, as JSON"),
        ("disputes", "异议计数,或某部门待裁定的异议 / counts of disputes, or those a department has to decide"),
        ("decide-dispute", "执行部门签名的裁定 / carry out a department's signed decision"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True)
        if name == "load":
            command.add_argument(
                "--records", type=Path, help="明文文件夹;缺省读密文库 / a folder of plain files; default: the vault"
            )
            command.add_argument("--as-of", type=date.fromisoformat, required=True)
        if name in ("cells", "reset-key"):
            command.add_argument("--enterprise", type=parse_uscc, required=True, help="统一社会信用代码 / USCC")
        if name == "lineage-counts":
            command.add_argument("--feature", required=True)
        if name in ("disputes", "decide-dispute"):
            ingest = "归集配置 / settings of ingestion, which name the departments"
            command.add_argument("--ingest", type=Path, required=name == "decide-dispute", help=ingest)
        if name == "disputes":
            command.add_argument("--department")
        if name == "decide-dispute":
            command.add_argument("--decision", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    configure_logging()
    with explained("xyd-enclave"):
        _run(chosen, load_settings(chosen.config))


def _run(chosen: Any, settings: EnclaveSettings) -> None:
    os.umask(0o077)
    if chosen.command == "serve":
        protect(settings)
        asyncio.run(serve(settings))
        return
    # These too have records or keys in memory.
    harden()
    if chosen.command == "load":
        _load(settings, chosen.records, chosen.as_of)
    elif chosen.command in ("disputes", "decide-dispute"):
        print(_disputes(chosen, settings))
    elif chosen.command == "lineage-counts":
        print(_lineage_counts(settings, chosen.feature))
    elif chosen.command == "cells":
        print(_cells(settings, chosen.enterprise))
    elif chosen.command == "reset-key":
        store = Store(settings.data_dir / "authority.sqlite")
        clock = SoftwareEnvironment(settings.sealing_key).clock
        revoked = asyncio.run(store.run(reset_key, build_trust(settings), chosen.enterprise, clock()))
        store.close()
        print(f"已取消登记,撤销{revoked}项授权 / the key is unpinned, {revoked} authorization(s) revoked")
    else:
        with sole_owner(settings.data_dir):
            store = Store(settings.data_dir / "authority.sqlite")
            epoch = asyncio.run(store.run(rotate_epoch, SoftwareEnvironment(settings.sealing_key)))
            store.close()
        print(f"新的掩码密钥 {epoch},旧密钥已销毁 / epoch {epoch}; the old key is destroyed")


if __name__ == "__main__":
    main()
