"""融资市场命令 / Commands of the financing market."""

import time
from typing import Annotated

import typer
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose
from xinyidai.purposes import DAY_SECONDS

from clients.tables import folding_table
from clients.wallet.market import OwnDemand
from clients.wallet.options import Address, Folder, Passphrase, console, opened
from clients.wallet.platform import WalletError

app = typer.Typer(no_args_is_help=True, help="融资市场 / the financing market")
DemandId = Annotated[str, typer.Argument(help="需求编号或其开头 / id of the demand, or how it begins")]
_FEN_OF_WAN = 1_000_000


@app.command()
def products(
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    amount: Annotated[float | None, typer.Option(min=0.01, help="万元 / in 10,000 yuan")] = None,
    months: Annotated[int | None, typer.Option(min=1)] = None,
) -> None:
    """贷款产品 / loan products, cheapest first."""
    wanted = {"amount_fen": round(amount * _FEN_OF_WAN) if amount else None, "months": months}
    filters = {name: value for name, value in wanted.items() if value is not None}
    table = folding_table("产品 / product", "名称 / name", "年利率 / rate", "额度(万元)/ amount", "期限 / months")
    with opened(wallet, passphrase, platform) as own:
        found = own.market.products(**filters)
    for entry in found:
        rate = f"{entry['rate_least_bp'] / 100:.2f}-{entry['rate_most_bp'] / 100:.2f}%"
        amounts = f"{entry['amount_least_fen'] / _FEN_OF_WAN:g}-{entry['amount_most_fen'] / _FEN_OF_WAN:g}"
        term = f"{entry['months_least']}-{entry['months_most']}"
        table.add_row(entry["product_id"], entry["name_zh"], rate, amounts, term)
    console.print(table)


@app.command()
def post(
    amount: Annotated[float, typer.Argument(min=0.01, help="万元 / in 10,000 yuan")],
    months: Annotated[int, typer.Argument(min=1, max=360, help="期限(月)/ term")],
    region: Annotated[str, typer.Option(help="行政区划代码 / code of GB/T 2260")],
    industry: Annotated[str, typer.Option(help="行业门类 A-T / section of GB/T 4754")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    purpose: LoanPurpose = LoanPurpose.WORKING_CAPITAL,
    guarantee: Annotated[list[Guarantee] | None, typer.Option(help="可提供的担保 / can be given")] = None,
    months_in_business: Annotated[int, typer.Option(min=0)] = 0,
    places: Annotated[int, typer.Option(min=1, max=5, help="同时办理的银行数 / banks at a time")] = 3,
    days: Annotated[int, typer.Option(min=1, max=365, help="有效天数 / valid for")] = 30,
) -> None:
    """发布融资需求 / post a demand."""
    terms = DemandTerms(
        amount_fen=round(amount * _FEN_OF_WAN),
        months=months,
        purpose=purpose,
        guarantees=tuple(guarantee or (Guarantee.CREDIT,)),
        region=region,
        industry=industry,
        months_in_business=months_in_business,
        places=places,
        expires_at=int(time.time()) + days * DAY_SECONDS,
    )
    with opened(wallet, passphrase, platform) as own:
        _show(own.market.post(terms))


@app.command("list")
def list_demands(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """本企业的需求 / this enterprise's demands."""
    table = folding_table("状态 / state", "万元 / 10,000 yuan", "期限 / months", "报价 / offers", "编号 / id")
    with opened(wallet, passphrase, platform) as own:
        found = own.market.demands()
    for entry in found:
        amount = f"{entry.terms['amount_fen'] / _FEN_OF_WAN:g}"
        table.add_row(entry.state, amount, str(entry.terms["months"]), str(len(entry.offers)), entry.demand_id[:12])
    console.print(table)


@app.command()
def show(demand: DemandId, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """匹配的银行及报价比较 / matching banks, and offers side by side."""
    with opened(wallet, passphrase, platform) as own:
        _show(own.market.find(demand))


@app.command()
def choose(
    demand: DemandId,
    banks: Annotated[list[str], typer.Argument(help="银行 / bank ids")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """选择银行并一次授权 / choose banks, and authorize each for this demand."""
    with opened(wallet, passphrase, platform) as own:
        found = own.market.find(demand)
        drafts = own.market.drafts(found.demand_id, banks)
        for draft in drafts:
            console.print(own.notice(draft), highlight=False)
        if not yes:
            typer.confirm("同意并签署?/ Agree and sign?", abort=True)
        _show(own.market.choose(found.demand_id, drafts))


@app.command()
def accept(
    demand: DemandId,
    bank: Annotated[str, typer.Argument(help="接受哪家银行的报价 / whose offer")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """接受报价 / accept an offer."""
    with opened(wallet, passphrase, platform) as own:
        found = own.market.find(demand)
        offer = next((entry for entry in found.offers if entry.bank == bank and entry.state == "live"), None)
        if offer is None:
            raise WalletError("这家银行没有有效报价 / no offer of this bank stands")
        _show(found)
        if not yes:
            typer.confirm("接受该报价?/ Accept it?", abort=True)
        console.print(f"状态 / state: {own.market.accept(found, offer).state}")


@app.command()
def withdraw(demand: DemandId, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """撤回需求 / withdraw a demand."""
    with opened(wallet, passphrase, platform) as own:
        console.print(f"状态 / state: {own.market.withdraw(own.market.find(demand).demand_id).state}")


def _show(demand: OwnDemand) -> None:
    console.print(f"需求 / demand {demand.demand_id}  状态 / state: {demand.state}", highlight=False)
    table = folding_table("银行 / bank", "产品 / product", "匹配分 / points", "理由 / reasons", "进展 / place")
    for entry in demand.candidates:
        reasons = "; ".join(f"{reason['zh']} (+{reason['points']})" for reason in entry["reasons"])
        place = entry["place"] + (f" ({entry['decline_reason']})" if entry["decline_reason"] else "")
        table.add_row(entry["bank"], entry["product_id"], str(entry["points"]), reasons, place)
    console.print(table)
    if not demand.offers:
        return
    table = folding_table(
        "银行 / bank", "年利率 / rate", "年化成本 / a year in all", "总成本(元)/ total, yuan", "万元 / 10,000 yuan",
        "期限 / months", "还款 / repayment", "状态 / state"
    )  # fmt: skip
    for offer in demand.offers:
        terms = offer.terms
        rate, yearly = f"{terms.annual_rate_bp / 100:.2f}%", f"{offer.cost.annualised_bp / 100:.2f}%"
        total, amount = f"{offer.cost.total_fen / 100:.2f}", f"{terms.amount_fen / _FEN_OF_WAN:g}"
        table.add_row(offer.bank, rate, yearly, total, amount, str(terms.months), terms.repayment, offer.state)
    console.print(table)
