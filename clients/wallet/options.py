"""Options every command of the wallet shares, and where it prints."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

console = Console()
Folder = Annotated[Path, typer.Option("--wallet", help="钱包目录 / folder of the wallet", envvar="XYD_WALLET")]
Passphrase = Annotated[str, typer.Option(prompt="口令 / passphrase", hide_input=True, envvar="XYD_WALLET_PASSPHRASE")]
Address = Annotated[str | None, typer.Option("--platform", help="平台地址 / address", envvar="XYD_PLATFORM")]
