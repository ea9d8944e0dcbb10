"""The server's composition root and its commands."""

import argparse
import asyncio
import os
import resource
import signal
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from xinyidai.identity import Role, TrustAnchor, load_chain

from server.accounts.desk import AccountDesk
from server.accounts.limits import RateLimiter
from server.accounts.models import AccountRole
from server.accounts.passkeys import Site
from server.accounts.rules import AccountRules
from server.admission import Admission
from server.bell import Bell
from server.clock import Clock
from server.commands import (
    add_bank,
    add_staff_member,
    drop_bank,
    drop_staff_member,
    now,
    objections,
    open_database,
)
from server.dashboard.service import DashboardService
from server.db import Database, SchemaOutdated, check_schema, migrate
from server.enclaves import Enclaves, build_enclaves
from server.errors import Refused
from server.loans.desk import LoanDesk
from server.logs import configure_logging
from server.market.desk import MarketDesk
from server.market.door import EnterpriseDoor
from server.market.rules import MarketRules
from server.relay.alerts import AlertRelay
from server.relay.banks import BankRelay
from server.relay.consent import ConsentRelay
from server.relay.courier import Courier, build_http
from server.relay.enterprises import EnterpriseRelay
from server.relay.journal import Journal
from server.relay.log import LogRelay
from server.relay.whitelist import WhiteListRelay
from server.rest.app import Limits, build_rest
from server.rest.https import RestEdge, bind_rest
from server.risk.commands import add_risk_commands, run_risk
from server.rpc.loans import LoanServicer
from server.rpc.market import MarketServicer
from server.rpc.outreach import AlertServicer, WhiteListServicer
from server.rpc.server import BankEdge, build_bank_edge
from server.rpc.servicer import BankServicer
from server.settings import ServerSettings, load_settings

log = structlog.get_logger("server.app")


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """Both edges over one database and the enclaves."""

    banks: BankEdge
    rest: RestEdge
    database: Database
    enclaves: Enclaves
    market: MarketDesk
    market_clock: Clock
    bell: Bell
    relay_clock: Clock
    courier: Courier
    stop_seconds: float

    async def start(self) -> None:
        """Returns when both edges listen."""
        await self.banks.start()
        await self.rest.start()
        self.market_clock.start()
        self.relay_clock.start()
        self.courier.start()

    async def stop(self) -> None:
        """Both edges finish what is at work; then connections and database close."""
        # Streams of the market have no end of their own.
        self.market.end_streams()
        self.bell.end()
        await self.market_clock.stop()
        await self.relay_clock.stop()
        await self.courier.stop()
        await asyncio.gather(self.banks.stop(self.stop_seconds), self.rest.stop())
        await self.enclaves.close()
        self.database.close()


def check_files(settings: ServerSettings) -> None:
    """Raises `ValueError` for a key others can read, `DocumentError` for a certificate of another authority or role."""
    if stat.S_IMODE(settings.tls_key.stat().st_mode) & 0o077:
        raise ValueError(f"私钥 {settings.tls_key} 权限过宽,请 chmod 600 / the key is open to others; chmod 600")
    if settings.platform_ca is not None:
        chain = load_chain(settings.tls_certificate.read_bytes())
        TrustAnchor.from_pem(Role.SERVER, settings.platform_ca.read_bytes()).verify(chain)


def build_server(settings: ServerSettings, *, clock: Callable[[], int] = now) -> Server:
    """Put the server together, bound but not yet listening. Call inside a running event loop.

    Raises `OSError`, `ValueError`, `SchemaOutdated`.
    """
    check_files(settings)
    database = Database(settings.database_url.get_secret_value())
    with database.engine.connect() as connection:
        check_schema(connection)
    enclaves = build_enclaves(settings)
    journal = Journal(database, clock)
    # A place for each edge: the public one cannot crowd out the banks.
    banks, public = Admission(settings.max_concurrent_calls), Admission(settings.max_concurrent_calls)
    relay, door = BankRelay(enclaves, database, journal, settings.stream_silence_seconds), build_door(settings)
    desk, loans, bell = build_desk(settings, database, door, clock), LoanDesk(database, door, clock), Bell()
    consent = ConsentRelay(enclaves, database, journal)
    lists = WhiteListRelay(enclaves, database, journal, bell, settings.white_list_refresh_seconds)
    alerts = AlertRelay(enclaves, database, journal, bell)
    streams = Admission(settings.max_concurrent_calls)
    edge = build_bank_edge(
        settings,
        BankServicer(relay, consent, banks),
        MarketServicer(relay, desk, banks, Admission(settings.max_concurrent_calls)),
        WhiteListServicer(relay, lists, banks, streams),
        AlertServicer(relay, alerts, banks, streams),
        LoanServicer(relay, loans, banks),
    )
    dashboard = DashboardService(database, clock, settings.dashboard_seconds)
    enterprises = EnterpriseRelay(enclaves, journal)
    logs = LogRelay(
        enclaves,
        database,
        journal,
        _anchor(Role.ENCLAVE, settings.enclaves_ca),
        _anchor(Role.WITNESS, settings.witnesses_ca),
    )
    bound = bind_rest(settings)
    accounts = build_accounts(settings, database, bound.getsockname()[1], clock)
    limits = Limits(public, RateLimiter(settings.requests_per_minute), RateLimiter(settings.sign_ins_per_minute))
    app = build_rest(database, enclaves, enterprises, consent, logs, desk, lists, loans, dashboard, accounts, limits)
    return Server(
        edge,
        RestEdge(settings, app, bound),
        database,
        enclaves,
        desk,
        Clock(settings.market_sweep_seconds, desk.sweep, loans.sweep),
        bell,
        Clock(settings.outreach_sweep_seconds, lists.sweep, alerts.sweep),
        Courier(enclaves, database, build_http(settings), clock, settings.events_seconds),
        settings.stop_seconds,
    )


def build_accounts(settings: ServerSettings, database: Database, port: int, clock: Callable[[], int]) -> AccountDesk:
    """`port`: of the pages, where the settings name no origin. Raises `OSError`, `DocumentError` for an unreadable
    registrar file."""
    site = Site(settings.portal_origin or f"https://localhost:{port}")
    rules = AccountRules(idle=settings.session_idle_seconds, absolute=settings.session_seconds)
    return AccountDesk(database, _anchor(Role.ENTERPRISE, settings.registrar_ca), site, rules, clock)


def build_door(settings: ServerSettings) -> EnterpriseDoor:
    """Raises `OSError`, `DocumentError` for an unreadable registrar file."""
    return EnterpriseDoor(
        _anchor(Role.ENTERPRISE, settings.registrar_ca), [enclave.id for enclave in settings.enclaves]
    )


def build_desk(
    settings: ServerSettings, database: Database, door: EnterpriseDoor, clock: Callable[[], int]
) -> MarketDesk:
    rules = MarketRules(
        settings.market_hold_seconds,
        settings.market_grab_seconds,
        settings.market_fulfil_seconds,
        settings.market_open_demands,
        settings.market_open_products,
    )
    return MarketDesk(database, door, rules, clock)


def _anchor(role: Role, roots: Path | None) -> TrustAnchor:
    """Without a file, one that vouches for nobody."""
    raw = roots.read_bytes() if roots else b""
    return TrustAnchor(role, load_chain(raw) if raw else ())


async def serve(settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    # Connections are files; take as many as the system grants.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = build_server(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await server.start()
    print(f"ready server grpc={server.banks.address} rest={server.rest.url}", flush=True)
    await stopping.wait()
    log.info("stopping")
    await server.stop()


def build_parser() -> argparse.ArgumentParser:
    """The commands of `xyd-server`."""
    parser = argparse.ArgumentParser(prog="xyd-server", description="各方之间的平台 / The platform between the parties")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("serve", "启动服务 / serve"),
        ("migrate", "建立或升级数据库 / create or upgrade the database"),
        ("add-bank", "登记银行,或更换其证书 / register a bank, or renew its certificate"),
        ("remove-bank", "停用银行 / a bank may no longer call"),
        ("objections", "异议办理进度和逾期清单 / how objections are getting on, and which are late, as JSON"),
        ("add-operator", "添加平台或部门人员,得到一次性登记码 / add an operator, or a department's; prints a code"),
        ("remove-operator", "停用人员,其会话立即失效 / end an account and its sessions"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--config", type=Path, required=True)
        if name.endswith(("-bank", "-operator")):
            command.add_argument("--id", required=True)
        if name.endswith("-operator"):
            roles = [AccountRole.OPERATOR, AccountRole.DEPARTMENT]
            command.add_argument("--role", type=AccountRole, choices=roles, default=AccountRole.OPERATOR)
        if name == "add-operator":
            command.add_argument("--name", required=True)
        if name == "add-bank":
            command.add_argument("--name-zh", required=True)
            command.add_argument("--name-en", required=True)
            command.add_argument("--certificate", type=Path, required=True)
            command.add_argument(
                "--events-url", help="授权事件推送地址(https)/ https address that events are pushed to"
            )
        if name == "objections":
            command.add_argument("--operator", required=True, help="经办人,记入日志 / who looks; it is recorded")
    add_risk_commands(commands.add_parser("risk", help="风险分担 / risk sharing"))
    return parser


def main(arguments: list[str] | None = None) -> None:
    chosen = build_parser().parse_args(arguments)
    configure_logging()
    os.umask(0o077)
    try:
        _run(chosen, load_settings(chosen.config))
    except (Refused, SchemaOutdated, SQLAlchemyError, OSError, ValueError, RuntimeError) as error:
        sys.exit(f"xyd-server: {error}")


def _run(chosen: Any, settings: ServerSettings) -> None:
    if chosen.command == "serve":
        asyncio.run(serve(settings))
    elif chosen.command == "migrate":
        migrate(settings.database_url.get_secret_value())
        print("数据库已就绪 / the database is ready")
    elif chosen.command == "risk":
        with closing(open_database(settings)) as database:
            print(run_risk(database, chosen, now))
    elif chosen.command == "add-bank":
        bank = add_bank(settings, chosen.id, chosen.name_zh, chosen.name_en, chosen.certificate, chosen.events_url)
        print(f"已登记银行 {bank} / registered bank {bank}")
    elif chosen.command == "objections":
        print(objections(settings, chosen.operator))
    elif chosen.command == "remove-bank":
        bank = drop_bank(settings, chosen.id)
        print(f"已停用银行 {bank} / bank {bank} may no longer call")
    elif chosen.command == "add-operator":
        code = add_staff_member(settings, chosen.role, chosen.id, chosen.name)
        print(f"登记码,7 日内在 /operator/enrol 使用一次 / enrolment code, good once within 7 days: {code}")
    else:
        drop_staff_member(settings, chosen.role, chosen.id)
        print(f"已停用 {chosen.id} / {chosen.id} may no longer sign in")


if __name__ == "__main__":
    main()
