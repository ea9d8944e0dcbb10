"""Options every command of the wallet shares, the wallet they open, and where it prints."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from clients.wallet.wallet import Wallet

console = Console()
Folder = Annotated[Path, typer.Option("--wallet", help="钱包目录 / folder of the wallet", envvar="XYD_WALLET")]
Passphrase = Annotated[str, typer.Option(prompt="口令 / passphrase", hide_input=True, envvar="XYD_WALLET_PASSPHRASE")]
Address = Annotated[str | None, typer.Option("--platform", help="平台地址 / address", envvar="XYD_PLATFORM")]


@contextmanager
def opened(folder: Path, passphrase: str, platform: str | None) -> Iterator[Wallet]:
    """The wallet of a command, closed at its end. Raises `WalletLocked`."""
    with closing(Wallet.open(folder, passphrase, platform=platform)) as wallet:
        yield wallet
