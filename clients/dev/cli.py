"""开发环境 / A development deployment: authorities, a ready city, the whole system in the foreground."""

import shutil
import signal
import sys
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
from clients.dev.deployment import ENCLAVE_ID, Deployment
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
    deployment = Deployment(folder.resolve())
    made = deployment.issue_bank(bank_id)
    console.print(
        f"已签发 / issued: {made}\n接下来在平台登记 / next, register it with the platform:\n"
        f"  xyd-server add-bank --config {deployment.server_config} --id {bank_id} --name-zh … --name-en … "
        f"--certificate {made / 'bank.pem'}",
        soft_wrap=True,
    )


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
    enterprises: Annotated[int | None, typer.Option(min=10, help="模拟企业数 / synthetic enterprises [2000]")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="随机种子 / seed of the synthetic city [0]")] = None,
) -> None:
    """前台运行整个系统 / run the whole system in the foreground, with a ready bank, enterprise and city."""
    stopping = threading.Event()

    def stop(*_: object) -> None:
        if stopping.is_set():
            raise KeyboardInterrupt
        stopping.set()

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    if folder.exists():
        if enterprises is not None or seed is not None:
            raise ValueError(
                f"城市已生成;要换一个,请先删除 / the city is made; to make another, first: rm -rf {folder}"
            )
        if not Deployment(folder).server_config.exists():
            raise ValueError(f"部署不完整,请删除后重试 / incomplete; remove it and try again: rm -rf {folder}")
        deployment = Deployment(folder.resolve())
    else:
        console.print("正在生成模拟城市,约十秒 / making a synthetic city, some ten seconds")
        deployment = prepare(folder, enterprises or 2000, seed or 0)
    with System(deployment) as system:
        enterprise = _ready_enterprise(system)
        system.start_ingest()
        system.start_witness()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, stop)
        console.print(_what_next(system, enterprise), soft_wrap=True)
        stopping.wait()
    console.print("已停止 / stopped")


def _what_next(system: System, enterprise: str) -> str:
    ready, binaries = system.deployment.root, Path(sys.executable).parent
    portal = f"https://localhost:{system.rest_url.rpartition(':')[2]}/portal"
    wallet = f"XYD_WALLET={ready}/wallet XYD_WALLET_PASSPHRASE={PASSPHRASE} XYD_PLATFORM={system.rest_url}"
    return f"""
系统已启动 / the system is up
  银行接口 / banks, gRPC with mTLS    {system.grpc_address}   数据域 / enclave {ENCLAVE_ID}
  企业接口 / enterprises, REST        {system.rest_url}/v1/openapi.json   (curl --cacert {ready}/ca/platform.pem)
  企业门户 / portal, in a browser      {portal}   (信任 / that trusts {ready}/ca/platform.pem)
  部门归集 / departments, gRPC mTLS   {system.ingest_address}   证书 / certificates {ready}/departments
  银行证书 / bank-a                   {ready}/banks/bank-a/bank.pem, bank.key
  根证书 / roots                      {ready}/ca/platform.pem, enclave.pem
  核验证明 / verify a proof           {system.rest_url}/verify   根证书 / roots {ready}/ca/enclave.pem, witnesses.pem
  企业 / enterprise                   {enterprise}, 钱包 / wallet {ready}/wallet
  日志 / logs                         {ready}/logs

接下来 / try next, in another terminal:
  export PATH={binaries}:$PATH
  export {wallet}
  xyd-wallet authorize bank-a --yes      授权 / authorize
  xyd-wallet list                        授权列表 / authorizations
  xyd-wallet usage                       使用记录 / every use, with its bits
  (cd {ready}/banks/bank-a && python -m clients.dev.example {system.grpc_address} {enterprise})
                                         银行评估一次 / the bank assesses once
Ctrl-C 停止 / stops."""


def prepare(folder: Path, enterprises: int, seed: int) -> Deployment:
    """A deployment with a loaded synthetic city and two registered banks. It appears whole or not at all."""
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        deployment = Deployment.create(partial)
        as_of = last_month_end(date.today())
        summary = generate_city(enterprises=enterprises, seed=seed, as_of=as_of, out=deployment.records)
        console.print(summary.text())
        system = System(deployment)
        address = system.start_ingest()
        try:
            deliver_records(deployment, address, deployment.records)
        finally:
            system.ingest.stop()
        console.print(system.load_vault(as_of), soft_wrap=True)
        system.migrate()
        system.add_bank("bank-a", "连云港甲银行", "Bank A")
        system.add_bank("bank-b", "连云港乙银行", "Bank B")
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Deployment(folder.resolve())


def _ready_enterprise(system: System) -> str:
    """The registered enterprise of this deployment, made if it is not there yet; its USCC."""
    deployment = system.deployment
    folder = deployment.root / "wallet"
    if not (folder / "certificate.pem").exists():
        shutil.rmtree(folder, ignore_errors=True)
        wallet = Wallet.create(
            folder,
            enterprise_with_records(deployment.records, "tax_payment"),
            PASSPHRASE,
            platform=system.rest_url,
            platform_ca=deployment.anchor("platform").read_bytes(),
            enclave_ca=deployment.anchor("enclave").read_bytes(),
        )
        wallet.register(deployment.enrol(wallet.enterprise, wallet.certificate_request()))
    else:
        wallet = Wallet.open(folder, PASSPHRASE, platform=system.rest_url)
    wallet.close()
    return wallet.enterprise


def main() -> None:
    try:
        app()
    except (ProcessFailed, UploadError, WalletError, IdentifierError, OSError, ValueError) as error:
        raise SystemExit(f"xyd-dev: {error}") from error


if __name__ == "__main__":
    main()
