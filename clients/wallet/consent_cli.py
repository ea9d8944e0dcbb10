"""授权请求、收窄、代签、异议的命令 / Commands for banks' requests, narrowing, delegates and objections."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from xinyidai.authorization import Authorization
from xinyidai.signing import VerifyingKey

from clients.tables import folding_table
from clients.wallet.consent import BankRequest
from clients.wallet.options import Address, Folder, Passphrase, console
from clients.wallet.platform import WalletError
from clients.wallet.wallet import Wallet

app = typer.Typer(no_args_is_help=True, help="授权请求、收窄、代签 / banks' requests, narrowing, delegates")
RequestDigest = Annotated[str, typer.Argument(help="请求摘要或其开头 / digest of the request, or how it begins")]
Digest = Annotated[str, typer.Argument(help="授权摘要或其开头 / digest of the authorization, or how it begins")]
Categories = Annotated[
    list[str] | None, typer.Option("--category", help="只保留这些类别 / keep these alone; default: all")
]
Most = Annotated[int | None, typer.Option(min=1, help="最多次数 / assessments at most")]
Days = Annotated[int | None, typer.Option(min=1, help="自今日起有效天数 / days it is valid, from now")]
Precision = Annotated[int | None, typer.Option(min=0, max=255, help="误差分 / points either way")]
Yes = Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")]


@app.command()
def requests(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """银行的授权请求 / what banks ask for."""
    table = folding_table(
        "银行 / bank", "用途 / purpose", "类别数 / categories", "次数 / times", "答复期限 / until", "摘要 / digest"
    )
    with _open(wallet, passphrase, platform) as opened:
        for one in opened.consent.requests():
            terms = one.terms
            row = (one.bank, terms.purpose, str(len(terms.categories)), str(terms.max_assessments))
            table.add_row(*row, _day(terms.respond_by), one.digest[:16])
    console.print(table)


@app.command()
def accept(
    request: RequestDigest,
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    category: Categories = None,
    max_assessments: Most = None,
    days: Days = None,
    precision: Precision = None,
    yes: Yes = False,
) -> None:
    """同意(可收窄)/ accept, as it is or narrower."""
    with _open(wallet, passphrase, platform) as opened:
        draft = opened.consent.accept_draft(
            _find(opened, request),
            categories=category or (),
            max_assessments=max_assessments,
            days=days,
            precision_points=precision,
        )
        _sign(opened, draft, yes)


@app.command()
def reject(request: RequestDigest, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """拒绝 / decline."""
    with _open(wallet, passphrase, platform) as opened:
        opened.consent.reject(_find(opened, request))
    console.print("已拒绝 / rejected")


@app.command()
def narrow(
    digest: Digest,
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    category: Categories = None,
    max_assessments: Most = None,
    days: Days = None,
    precision: Precision = None,
    yes: Yes = False,
) -> None:
    """收窄一项授权,原授权同时终止 / replace an authorization by a narrower one."""
    with _open(wallet, passphrase, platform) as opened:
        draft = opened.consent.narrow_draft(
            opened.find(digest),
            categories=category or (),
            max_assessments=max_assessments,
            days=days,
            precision_points=precision,
        )
        _sign(opened, draft, yes)


@app.command()
def reconfirm(digest: Digest, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """再次确认长期授权 / say that a long authorization is still meant."""
    with _open(wallet, passphrase, platform) as opened:
        opened.consent.reconfirm(opened.find(digest))
    console.print("已确认 / reconfirmed")


@app.command()
def delegate(
    key: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="代签人公钥PEM / the delegate's public key")],
    name: Annotated[str, typer.Argument(help="脱敏姓名 / masked name, as in 王*")],
    power: Annotated[list[str], typer.Option(help="grant | control | view | dispute | budget")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="有效天数 / days")] = 90,
) -> None:
    """委托他人代签 / let somebody sign in the enterprise's place."""
    with _open(wallet, passphrase, platform) as opened:
        thumbprint = opened.consent.delegate(VerifyingKey.from_pem(key.read_bytes()), power, days, name)
    console.print(f"已委托 / delegated to key {thumbprint}")


@app.command("end-delegation")
def end_delegation(
    delegate: Annotated[str, typer.Argument(help="密钥指纹 / thumbprint of the delegate's key")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
) -> None:
    """终止委托,立即生效 / end a delegation, at once."""
    with _open(wallet, passphrase, platform) as opened:
        opened.consent.end_delegation(delegate)
    console.print("已终止 / ended")


@app.command()
def delegations(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """代签人及其所签 / delegates, and what they signed."""
    with _open(wallet, passphrase, platform) as opened:
        found, acts = opened.consent.delegations()
    table = folding_table("姓名 / name", "权限 / powers", "到期 / until", "终止 / ended", "指纹 / key")
    for one in found:
        ended = _day(one["ended_at"]) if one["ended_at"] else "-"
        table.add_row(one["name"], " ".join(one["powers"]), _day(one["not_after"]), ended, one["delegate"])
    console.print(table)
    for act in acts:
        console.print(f"{_day(act['at'])}  {act['name']}  {act['act']}  {act['about'][:16]}", highlight=False)


@app.command()
def objections(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """本企业的异议及答复 / the enterprise's objections and the replies."""
    table = folding_table(
        "状态 / state", "类别 / category", "记录 / record", "期限 / due", "我方 / we said", "答复 / reply"
    )
    with _open(wallet, passphrase, platform) as opened:
        for one in opened.consent.objections():
            record = one.objection.record
            row = (one.state, record.category, record.record_id, _day(one.decide_by))
            table.add_row(*row, one.objection.text or "-", one.reply or "-")
    console.print(table)


@contextmanager
def _open(wallet: Path, passphrase: str, platform: str | None) -> Iterator[Wallet]:
    with closing(Wallet.open(wallet, passphrase, platform=platform)) as opened:
        yield opened


def _find(opened: Wallet, beginning: str) -> BankRequest:
    found = [one for one in opened.consent.requests() if one.digest.startswith(beginning)]
    if len(found) != 1:
        raise WalletError("没有或有多个这样的请求 / none or several requests begin so; see xyd-wallet consent requests")
    return found[0]


def _sign(opened: Wallet, draft: Authorization, yes: bool) -> None:
    console.print(opened.notice(draft), highlight=False)
    if not yes:
        typer.confirm("同意并签署?/ Agree and sign?", abort=True)
    console.print(f"已授权 / authorized: {opened.authorize(draft)}")


def _day(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M UTC")
