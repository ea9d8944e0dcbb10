"""贷款命令 / Commands for an enterprise's own loans."""

from contextlib import closing
from typing import Annotated

import typer

from clients.tables import folding_table
from clients.wallet.options import Address, Folder, Passphrase, console
from clients.wallet.wallet import Wallet

app = typer.Typer(no_args_is_help=True, help="贷款 / loans")
_FEN_OF_WAN = 1_000_000


@app.command("list")
def list_loans(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """本企业的贷款 / this enterprise's loans, as its banks reported them."""
    table = folding_table(
        "状态 / state", "银行 / bank", "万元 / 10,000 yuan", "已还本金(元)/ repaid, yuan", "逾期(天)/ overdue, days",
        "已确认 / confirmed", "编号 / id",
    )  # fmt: skip
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        found = opened.loans.list()
    for loan in found:
        amount = f"{loan.facts.amount_fen / _FEN_OF_WAN:g}" if loan.facts else "-"
        paid, confirmed = f"{loan.principal_paid_fen / 100:.2f}", "是 / yes" if loan.confirmed else "否 / no"
        table.add_row(loan.state, loan.bank, amount, paid, str(loan.overdue_days), confirmed, loan.loan_id[:12])
    console.print(table)


@app.command()
def confirm(
    loan: Annotated[str, typer.Argument(help="贷款编号或其开头 / id of the loan, or how it begins")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """确认收到贷款 / confirm that a loan was paid out on these terms."""
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        found = opened.loans.find(loan)
        if found.facts is not None:
            for name, value in found.facts.claims().items():
                console.print(f"{name}: {value}", highlight=False)
        if not yes:
            typer.confirm("确认并签署?/ Confirm and sign?", abort=True)
        opened.loans.confirm(found)
    console.print("已确认 / confirmed")
