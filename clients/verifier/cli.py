"""离线核验 / Verification of a transparency log on the command line; only `download` speaks to anybody."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from xinyidai.identity import Role, TrustAnchor
from xinyidai.merkle import ProofInvalid
from xinyidai.signing import DocumentError

from clients.verifier.check import check_checkpoints, check_log, check_proof, download_log, read_small
from clients.wallet.platform import Platform, WalletError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="核验透明日志 / verify a transparency log")
console = Console(highlight=False, soft_wrap=True)
EnclaveRoot = Annotated[Path, typer.Option(help="数据域根证书 / root that vouches for the enclaves")]
_SHOWN = ("sub", "client_id", "jti", "kind", "state", "authorization", "centibits", "sequence")


@app.command()
def bundle(
    file: Annotated[Path, typer.Argument(help="证明文件 / proof file, from xyd-wallet proof")],
    enclave_ca: EnclaveRoot,
    witness_ca: Annotated[Path | None, typer.Option(help="见证方根证书 / root that vouches for witnesses")] = None,
    witnesses: Annotated[int, typer.Option(min=0, help="至少几方见证 / how many witnesses at least")] = 0,
) -> None:
    """一份证明 / that a receipt or acknowledgement stands in the log."""
    anchor = _anchor(Role.WITNESS, witness_ca) if witness_ca else None
    found = check_proof(read_small(file), _anchor(Role.ENCLAVE, enclave_ca), anchor, witnesses)
    console.print(f"证明成立 / proven: {found.kind}, {_time(found.claims.instant('iat'))}")
    for name in _SHOWN:
        if name in found.claims.members:
            console.print(f"  {name}: {found.claims.members[name]}")
    console.print(f"  检查点 / checkpoint: {found.checkpoint.size}, {_time(found.checkpoint.sealed_at)}")
    console.print(f"  见证 / witnesses: {', '.join(found.witnesses) or '-'}")


@app.command("log")
def whole_log(
    leaves: Annotated[Path, typer.Argument(help="条目摘要,每行一个 / leaf hashes, one a line")],
    checkpoint: Annotated[Path, typer.Option(help="检查点 / checkpoint")],
    enclave_ca: EnclaveRoot,
) -> None:
    """整个日志 / a whole log against a checkpoint."""
    found = check_log(leaves, read_small(checkpoint).decode(), _anchor(Role.ENCLAVE, enclave_ca))
    console.print(f"日志完整 / the log is whole: {found.leaves}, {_time(found.checkpoint.sealed_at)}")


@app.command()
def checkpoints(
    old: Annotated[Path, typer.Argument(help="较早的检查点 / the older one")],
    new: Annotated[Path, typer.Argument(help="较新的检查点 / the newer one")],
    proof: Annotated[Path, typer.Option(help="一致性证明 / answer of /v1/log/consistency")],
    enclave_ca: EnclaveRoot,
) -> None:
    """两个检查点 / that the newer checkpoint extends the older one."""
    roots = _anchor(Role.ENCLAVE, enclave_ca)
    first, second = check_checkpoints(read_small(old).decode(), read_small(new).decode(), read_small(proof), roots)
    console.print(f"只增未改 / it only grew: {first.size} -> {second.size}")


@app.command()
def download(
    folder: Annotated[Path, typer.Argument(help="存放目录 / where it goes")],
    platform: Annotated[str, typer.Option(help="平台地址 / https address of the platform")],
    platform_ca: Annotated[Path, typer.Option(help="平台根证书 / root that vouches for the platform")],
    enclave_ca: EnclaveRoot,
    enclave: Annotated[str, typer.Option(help="数据域编号;缺省为第一个 / enclave id; default: the first")] = "",
) -> None:
    """下载并核验整个日志 / fetch a whole log and verify it."""
    with Platform(platform, platform_ca) as connected:
        found = download_log(connected, enclave, _anchor(Role.ENCLAVE, enclave_ca), folder)
    console.print(f"已下载,日志完整 / fetched, the log is whole: {found.leaves}")


def _anchor(role: Role, path: Path) -> TrustAnchor:
    return TrustAnchor.from_pem(role, read_small(path))


def _time(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def main() -> None:
    try:
        app()
    except (ProofInvalid, DocumentError, WalletError, OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"xyd-verify: 核验不通过 / not verified: {error}") from error


if __name__ == "__main__":
    main()
