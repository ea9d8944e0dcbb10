"""开发环境 / A development deployment: authorities, a ready city, the whole system in the foreground."""

import shutil
import signal
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as parquet
import typer
from rich.console import Console
from xinyidai.identifiers import IdentifierError, check_character_holds, parse_uscc

from clients.city import generate_city
from clients.dev.delivery import deliver_records
from clients.dev.deployment import Deployment
from clients.dev.system import ProcessFailed, System
from clients.uploader import UploadError
from clients.wallet import Wallet, WalletError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="开发环境 / development deployment")
console = Console(highlight=False)
Folder = Annotated[Path, typer.Argument(help="部署目录 / folder of the deployment")]
PASSPHRASE = "development"  # noqa: S105 (of a throwaway wallet, printed for the developer)


def last_month_end(today: date) -> date:
    return today.replace(day=1) - timedelta(days=1)


def enterprise_with_records(records: Path, category: str) -> str:
    """A USCC of the synthetic city whose check character holds."""
    column = parquet.read_table(records / f"{category}.parquet", columns=["uscc"]).column("uscc")
    for code in column.unique().to_pylist():
        if check_character_holds(parse_uscc(code)):
            return str(code)
    raise ProcessFailed("the records name no enterprise")


@app.command()
def init(folder: Folder) -> None:
    """生成根证书和配置 / make roots, certificates and configuration."""
    Deployment.create(folder)
    console.print(f"已生成 / made: {folder}")


@app.command()
def bank(folder: Folder, bank_id: Annotated[str, typer.Argument(help="银行 / bank id")]) -> None:
    """签发银行证书 / issue a bank's certificate."""
    console.print(f"已签发 / issued: {Deployment(folder.resolve()).issue_bank(bank_id)}")


@app.command()
def department(
    folder: Folder, department_id: Annotated[str, typer.Argument(help="部门 / department id, as in ingest.toml")]
) -> None:
    """签发部门证书 / issue a department's certificate."""
    console.print(f"已签发 / issued: {Deployment(folder.resolve()).issue_department(department_id)}")


@app.command()
def enrol(
    folder: Folder,
    uscc: Annotated[str, typer.Argument(help="统一社会信用代码 / unified social credit code")],
    request: Annotated[Path, typer.Argument(help="证书请求 / PKCS #10 request")],
    out: Annotated[Path, typer.Argument(help="证书 / where the certificate goes")],
) -> None:
    """作为登记机关签发企业证书 / as the registrar, certify an enterprise's key."""
    out.write_bytes(Deployment(folder.resolve()).enrol(uscc, request.read_bytes()))
    console.print(f"已签发 / issued: {out}")


@app.command()
def up(
    folder: Folder,
    enterprises: Annotated[int, typer.Option(min=10, help="模拟企业数 / synthetic enterprises")] = 2000,
    seed: int = 0,
) -> None:
    """前台运行整个系统 / run the whole system in the foreground, with a ready bank, enterprise and city."""
    first = not folder.exists()
    system = System(prepare(folder, enterprises, seed) if first else Deployment(folder.resolve()))
    with system:
        ready = folder.resolve()
        system.start_ingest()
        if first:
            _ready_enterprise(system)
        wallet = f"XYD_WALLET={ready}/wallet XYD_WALLET_PASSPHRASE={PASSPHRASE} XYD_PLATFORM={system.rest_url}"
        console.print(
            f"""
系统已启动 / the system is up
  银行接口 gRPC (mTLS)   {system.grpc_address}
  企业接口 REST          {system.rest_url}/docs
  部门归集 gRPC (mTLS)   {system.ingest_address}
  部门证书 / departments {ready}/departments
  银行证书 / bank        {ready}/banks/bank-a
  企业钱包 / wallet      {ready}/wallet (口令 / passphrase: {PASSPHRASE})
  日志 / logs            {ready}/logs

接下来 / try next, in another terminal:
  export {wallet}
  xyd-wallet authorize bank-a --yes      授权 / authorize
  xyd-wallet list                        授权列表 / authorizations
  xyd-wallet usage                       使用记录 / every use, with its bits
银行代码示例见 README / for the bank's side see the README.
Ctrl-C 停止 / stops.""",
            soft_wrap=True,
        )
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        stopping.wait()
    console.print("已停止 / stopped")


def prepare(folder: Path, enterprises: int, seed: int, *, loud: bool = True) -> Deployment:
    """A deployment with a loaded synthetic city and two registered banks. Removes a half-made folder on failure."""
    try:
        deployment = Deployment.create(folder)
        as_of = last_month_end(date.today())
        summary = generate_city(enterprises=enterprises, seed=seed, as_of=as_of, out=deployment.records)
        system = System(deployment)
        address = system.start_ingest()
        try:
            deliver_records(deployment, address, deployment.records)
        finally:
            system.ingest.stop()
        report = system.load_vault(as_of)
        system.migrate()
        system.add_bank("bank-a", "连云港甲银行", "Bank A")
        system.add_bank("bank-b", "连云港乙银行", "Bank B")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if loud:
        console.print(summary.text())
        console.print(report)
    return deployment


def _ready_enterprise(system: System) -> None:
    deployment = system.deployment
    wallet = Wallet.create(
        deployment.root / "wallet",
        enterprise_with_records(deployment.records, "tax_payment"),
        PASSPHRASE,
        platform=system.rest_url,
        platform_ca=deployment.anchor("platform").read_bytes(),
        enclave_ca=deployment.anchor("enclave").read_bytes(),
    )
    wallet.register(deployment.enrol(wallet.enterprise, wallet.certificate_request()))
    wallet.close()


def main() -> None:
    try:
        app()
    except (ProcessFailed, UploadError, WalletError, IdentifierError, OSError, ValueError) as error:
        raise SystemExit(f"xyd-dev: {error}") from error


if __name__ == "__main__":
    main()
