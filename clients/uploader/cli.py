"""部门报送命令行 / The departments' uploader on the command line."""

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table
from xinyidai.catalogue import Catalogue, CatalogueError, builtin_catalogue, load_catalogue
from xinyidai.disputes import Outcome
from xinyidai.identifiers import IdentifierError, parse_enclave_id
from xinyidai.signing import DocumentError

from clients.uploader.client import BatchOutcome, RecordUploader
from clients.uploader.credentials import DepartmentCredentials
from clients.uploader.errors import UploadError
from clients.uploader.formats import FileFormat
from clients.uploader.objections import ObjectionClient
from clients.uploader.packing import BATCH_ROWS, PackedBatch, pack_file

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="部门报送 / the departments' uploader")
console = Console(highlight=False)
Address = Annotated[str, typer.Option(help="数据域归集地址 / host:port of the data domain", envvar="XYD_DOMAIN")]
Certificate = Annotated[Path, typer.Option(help="部门证书 / the department's certificate", envvar="XYD_CERTIFICATE")]
Key = Annotated[Path, typer.Option(help="部门私钥 / the department's key", envvar="XYD_KEY")]
DomainCa = Annotated[Path, typer.Option(help="数据域根证书 / root of the data domain", envvar="XYD_DOMAIN_CA")]
Enclave = Annotated[list[str], typer.Option(help="数据域编号 / id of the data domain", envvar="XYD_ENCLAVE")]
Batch = Annotated[str, typer.Argument(help="批次 / batch id")]


@app.command()
def send(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="数据文件 / .csv, .jsonl or .parquet")],
    category: Annotated[str, typer.Option(help="信息类别代码 / category code")],
    address: Address,
    certificate: Certificate,
    key: Key,
    domain_ca: DomainCa,
    enclave: Enclave,
    encoding: Annotated[str, typer.Option(help="文本编码 / utf-8 or gb18030")] = "utf-8",
    form: Annotated[FileFormat | None, typer.Option("--format", help="缺省按扩展名 / default: by the name")] = None,
    batch_rows: Annotated[int, typer.Option(min=1, max=4_000_000, help="每批行数 / rows a batch")] = BATCH_ROWS,
    catalogue: Annotated[Path | None, typer.Option(help="目录文件;缺省为内置 / default: built in")] = None,
) -> None:
    """报送一个文件;中断后重跑即从断点继续 / deliver a file; run again after a break to go on."""
    credentials = DepartmentCredentials.from_files(certificate, key, domain_ca)
    chosen: Catalogue = builtin_catalogue() if catalogue is None else load_catalogue(catalogue)
    enclaves = [parse_enclave_id(name) for name in enclave]
    packed = pack_file(
        file, category, chosen, credentials.department, enclaves, form=form, encoding=encoding, batch_rows=batch_rows
    )
    with RecordUploader(address, credentials) as uploader:
        outcomes = [_deliver(uploader, batch) for batch in packed]
    _show(outcomes)


@app.command()
def report(batch: Batch, address: Address, certificate: Certificate, key: Key, domain_ca: DomainCa) -> None:
    """查看一批的处理结果 / what became of a batch."""
    with RecordUploader(address, DepartmentCredentials.from_files(certificate, key, domain_ca)) as uploader:
        _show([uploader.report(batch)])


@app.command()
def quarantined(
    batch: Batch,
    address: Address,
    certificate: Certificate,
    key: Key,
    domain_ca: DomainCa,
    most: Annotated[int, typer.Option(min=1, help="最多行数 / rows at most")] = 100,
) -> None:
    """列出被隔离的行号和原因 / lines set aside, with the reason."""
    table = Table("行 / line", "原因 / fault", "列 / column")
    with RecordUploader(address, DepartmentCredentials.from_files(certificate, key, domain_ca)) as uploader:
        for place, (line, fault, column) in enumerate(uploader.quarantined(batch)):
            if place == most:
                break
            table.add_row(str(line), fault, column)
    console.print(table)


@app.command()
def objections(
    address: Address,
    certificate: Certificate,
    key: Key,
    domain_ca: DomainCa,
    enclave: Enclave,
    everything: Annotated[bool, typer.Option("--all", help="包括已裁定的 / decided ones too")] = False,
) -> None:
    """本部门待办的异议 / objections to records of this department."""
    table = Table("企业 / enterprise", "类别 / category", "记录 / record", "事由 / kind", "状态 / state", "期限 / due")
    with closing(_desk(address, certificate, key, domain_ca, enclave)) as desk:
        found = desk.objections(everything=everything)
    for one in found:
        due = datetime.fromtimestamp(one.decide_by, UTC).strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(one.enterprise, one.category, one.record_id, one.kind, one.state, due)
    console.print(table)
    for one in found:
        if one.text or one.evidence:
            console.print(f"{one.record_id}: {one.text} {' '.join(one.evidence)}", markup=False)


@app.command()
def decide(
    enterprise: Annotated[str, typer.Argument(help="统一社会信用代码 / USCC")],
    category: Annotated[str, typer.Argument(help="类别 / category")],
    record: Annotated[str, typer.Argument(help="记录编号 / record id")],
    outcome: Annotated[Outcome, typer.Argument(help="成立、不成立、已修复 / upheld, dismissed, repaired")],
    address: Address,
    certificate: Certificate,
    key: Key,
    domain_ca: DomainCa,
    enclave: Enclave,
    reply: Annotated[str, typer.Option(help="给企业的答复 / reply to the enterprise")] = "",
) -> None:
    """签署裁定,或告知一条记录已修复 / sign a decision, or say that a record was repaired."""
    with closing(_desk(address, certificate, key, domain_ca, enclave)) as desk:
        objection = desk.decide(enterprise, category, record, outcome, reply)
    console.print(f"已裁定 / decided: {outcome} {objection}", highlight=False)


def _desk(address: str, certificate: Path, key: Path, domain_ca: Path, enclave: list[str]) -> ObjectionClient:
    credentials = DepartmentCredentials.from_files(certificate, key, domain_ca)
    return ObjectionClient(address, credentials, [parse_enclave_id(name) for name in enclave])


def _deliver(uploader: RecordUploader, batch: PackedBatch) -> BatchOutcome:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(f"{batch.header.batch}  {batch.header.rows} 行 / rows", total=len(batch.content))
        return uploader.deliver(batch, lambda sent: bar.update(task, completed=sent))


def _show(outcomes: list[BatchOutcome]) -> None:
    table = Table(
        "批次 / batch", "行 / rows", "入库 / taken", "隔离 / quarantined", "重复 / duplicated", "待匹配 / waiting"
    )
    for one in outcomes:
        numbers = (one.rows, one.taken, one.quarantined, one.duplicated, one.waiting)
        table.add_row(one.batch, *(str(number) for number in numbers))
    console.print(table)
    for one in outcomes:
        for fault, column, rows in one.faults:
            console.print(f"{one.batch}: {fault} {column} {rows}")


def main() -> None:
    try:
        app()
    except (UploadError, DocumentError, CatalogueError, IdentifierError, OSError) as error:
        raise SystemExit(f"xyd-upload: {error}") from error


if __name__ == "__main__":
    main()
