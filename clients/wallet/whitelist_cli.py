"""白名单命令 / Commands of the white list."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from clients.tables import folding_table
from clients.wallet.options import Address, Folder, Passphrase, console
from clients.wallet.wallet import Wallet

app = typer.Typer(no_args_is_help=True, help="白名单 / the white list")
_KINDS = {"white_list": "白名单 / white list", "alert": "贷后预警 / alert"}


@app.command()
def join(
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    bank: Annotated[list[str] | None, typer.Option(help="银行,可重复;缺省为全部 / bank; default: all")] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="有效天数 / days it is valid")] = 366,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """加入白名单 / opt in, after showing what it means."""
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        lists = opened.white_list
        draft = lists.draft(bank or (), days)
        console.print(lists.notice(draft), highlight=False)
        if not yes:
            typer.confirm("同意并签署?/ Agree and sign?", abort=True)
        lists.join(draft)
    console.print("已加入白名单 / opted in")


@app.command()
def leave(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """退出白名单,立即生效 / opt out, with immediate effect."""
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        opened.white_list.leave()
    console.print("已退出,数据域已确认 / opted out, confirmed by the enclave")


@app.command()
def told(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """得分以外告知银行的内容 / what banks were told besides scores."""
    table = folding_table("时间 / time", "银行 / bank", "种类 / kind", "比特上限 / bits", "依据 / basis")
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        for entry in opened.white_list.told():
            at = datetime.fromtimestamp(entry.charged_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
            table.add_row(at, entry.bank, _KINDS[entry.kind], f"{entry.centibits / 100:.2f}", entry.basis[:16])
    console.print(table)
