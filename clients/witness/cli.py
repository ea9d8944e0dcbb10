"""见证服务 / The witness as a process: looks every few seconds, cosigns, and ends loudly when the log was changed."""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from xinyidai.files import refuse_loose
from xinyidai.identity import Role, TrustAnchor, load_chain
from xinyidai.merkle import ProofInvalid
from xinyidai.signing import DocumentError, SigningKey
from xinyidai.transparency import LogForked

from clients.wallet.platform import Platform, WalletError
from clients.witness.witness import Witness

app = typer.Typer(pretty_exceptions_enable=False, help="透明日志见证 / witness of a transparency log")
_FORKED = 2
"""The exit code that says: there is evidence."""


@app.command()
def run(
    enclave: Annotated[str, typer.Option(help="数据域编号 / enclave id")],
    platform: Annotated[str, typer.Option(help="平台地址 / https address of the platform")],
    platform_ca: Annotated[Path, typer.Option(help="平台根证书 / root that vouches for the platform")],
    enclave_ca: Annotated[Path, typer.Option(help="数据域根证书 / root that vouches for checkpoints")],
    certificate: Annotated[Path, typer.Option(help="见证方证书 / the witness's certificate")],
    key: Annotated[Path, typer.Option(help="见证方私钥,0600 / its key")],
    state: Annotated[Path, typer.Option(help="状态目录 / folder of its state")],
    interval: Annotated[float, typer.Option(min=0.1, help="间隔秒数 / seconds between looks")] = 10.0,
    once: Annotated[bool, typer.Option("--once", help="只看一次 / look once and end")] = False,
) -> None:
    """监视日志并签名见证 / watch a log and cosign it."""
    refuse_loose(key)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    refuse_loose(state)
    signing_key = SigningKey.from_pem(key.read_bytes(), chain=load_chain(certificate.read_bytes()))
    anchor = TrustAnchor.from_pem(Role.ENCLAVE, enclave_ca.read_bytes())
    with Platform(platform, platform_ca) as connected:
        witness = Witness(state, connected, enclave, anchor, signing_key)
        print(f"ready witness {witness.name}", flush=True)
        while True:
            failed = _look(witness)
            if once:
                raise typer.Exit(int(failed))
            time.sleep(interval)


def _look(witness: Witness) -> bool:
    """Whether it failed in a way that may pass. Ends the process when it will not."""
    try:
        seen = witness.observe()
    except LogForked as error:
        print(
            f"警报:日志被篡改,证据已保存,停止见证 / ALARM: the log was changed; the evidence is kept, and this witness "
            f"cosigns no more: {error}",
            file=sys.stderr,
            flush=True,
        )
        raise typer.Exit(_FORKED) from error
    except (ProofInvalid, DocumentError, WalletError) as error:
        print(f"未见证 / not cosigned: {error}", file=sys.stderr, flush=True)
        return True
    # Standard output is for the ready line alone: whoever started this process need not read on.
    print(f"cosigned {seen.size} entries, {seen.grown} new, sealed at {seen.sealed_at}", file=sys.stderr, flush=True)
    return False


def main() -> None:
    try:
        app()
    except (DocumentError, WalletError, OSError, ValueError) as error:
        raise SystemExit(f"xyd-witness: {error}") from error


if __name__ == "__main__":
    main()
