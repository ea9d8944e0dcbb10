"""企业钱包命令行 / The enterprise's wallet on the command line."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from xinyidai.authorization import Authorization
from xinyidai.catalogue import CatalogueError
from xinyidai.disputes import ObjectionKind
from xinyidai.identifiers import IdentifierError, check_character_holds
from xinyidai.lineage import LineageRecord
from xinyidai.purposes import PURPOSES
from xinyidai.signing import DocumentError

from clients.tables import folding_table
from clients.wallet.consent_cli import app as consent_app
from clients.wallet.loans_cli import app as loans_app
from clients.wallet.market_cli import app as market_app
from clients.wallet.options import Address, Folder, Passphrase, console, opened
from clients.wallet.platform import WalletError
from clients.wallet.terms import GrantTerms
from clients.wallet.wallet import Wallet
from clients.wallet.whitelist_cli import app as white_list_app

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, help="企业钱包 / the enterprise's wallet")
_STATES = {
    "active": "生效 / active",
    "used_up": "用完 / used up",
    "paused": "暂停 / paused",
    "revoked": "已撤销 / revoked",
    "expired": "到期 / expired",
}
_NO_VALUE = {
    "missing": "缺失 / missing",
    "not_applicable": "不适用 / not applicable",
    "not_traced": "记录过多,未在线追溯 / too many records to trace online",
}
app.add_typer(market_app, name="market")
app.add_typer(white_list_app, name="white-list")
app.add_typer(consent_app, name="consent")
app.add_typer(loans_app, name="loan")
Digest = Annotated[str, typer.Argument(help="授权摘要或其开头 / digest of the authorization, or how it begins")]


@app.command()
def create(
    uscc: Annotated[str, typer.Argument(help="统一社会信用代码 / unified social credit code")],
    wallet: Folder,
    platform: Annotated[str, typer.Option(help="平台地址 / https address of the platform")],
    platform_ca: Annotated[Path, typer.Option(help="平台根证书 / root that vouches for the platform")],
    enclave_ca: Annotated[Path, typer.Option(help="数据域根证书 / root that vouches for receipts")],
    passphrase: Annotated[
        str, typer.Option(prompt="口令 / passphrase", hide_input=True, confirmation_prompt=True,
                          envvar="XYD_WALLET_PASSPHRASE")
    ],
) -> None:  # fmt: skip
    """生成密钥和证书请求 / make a key and a certificate request for the registrar."""
    made = Wallet.create(
        wallet,
        uscc,
        passphrase,
        platform=platform,
        platform_ca=platform_ca.read_bytes(),
        enclave_ca=enclave_ca.read_bytes(),
    )
    request = wallet / "request.pem"
    request.write_bytes(made.certificate_request())
    if not check_character_holds(made.enterprise):
        console.print("注意:代码的校验位不符,请核对 / note: the code's check character does not hold; compare it")
    console.print(f"密钥已生成。请将 {request} 交给登记机关签发证书。\nKey made. Take {request} to the registrar.")


@app.command()
def register(
    certificate: Annotated[Path, typer.Argument(help="登记机关签发的证书 / the registrar's certificate")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
) -> None:
    """向平台登记密钥(证明持有私钥)/ register the key, proving possession."""
    with opened(wallet, passphrase, platform) as own:
        thumbprint = own.register(certificate.read_bytes())
    console.print(f"登记成功 / registered, key {thumbprint}")


@app.command()
def authorize(
    bank: Annotated[str, typer.Argument(help="银行 / bank id")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    purpose: Annotated[str, typer.Option(help="loan_origination | post_loan_monitoring")] = "loan_origination",
    category: Annotated[list[str] | None, typer.Option(help="信息类别,可重复 / category; default: all")] = None,
    days: Annotated[int, typer.Option(min=1, help="有效天数 / days it is valid")] = 31,
    max_assessments: Annotated[int, typer.Option(min=1, help="最多评估次数 / assessments at most")] = 1,
    by_category: Annotated[bool, typer.Option(help="逐类给分 / one score for each category")] = False,
    precision: Annotated[int | None, typer.Option(min=0, max=255, help="误差分 / points either way")] = None,
    loan_days: Annotated[int | None, typer.Option(min=1, help="贷款剩余天数 / days until the loan ends")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 / do not ask")] = False,
) -> None:
    """授权一家银行评估 / authorize a bank, after showing what it may learn."""
    terms = GrantTerms(bank, purpose, tuple(category or ()), days, max_assessments, by_category, precision, loan_days)
    with opened(wallet, passphrase, platform) as own:
        if not own.registered:
            raise WalletError(
                "请先用登记机关的证书登记密钥 / register the key first: xyd-wallet register certificate.pem"
            )
        draft = own.draft(terms)
        console.print(own.notice(draft), highlight=False)
        if not yes:
            typer.confirm("同意并签署?/ Agree and sign?", abort=True)
        console.print(f"已授权 / authorized: {own.authorize(draft)}")
        console.print(_budget_note(own, draft), highlight=False)


@app.command("list")
def list_authorizations(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """列出授权 / list authorizations."""
    table = folding_table(
        "状态 / state", "银行 / bank", "用途 / purpose", "已用 / used", "到期 / until", "提醒 / note", "摘要 / digest"
    )
    with opened(wallet, passphrase, platform) as own:
        found = own.authorizations()
    for entry in found:
        terms = entry["terms"]
        used = f"{entry['assessments']}/{terms.max_assessments}"
        spent = entry["state"] == "active" and entry["assessments"] >= terms.max_assessments
        state, purpose = _STATES["used_up" if spent else entry["state"]], PURPOSES[terms.purpose]
        named = f"{purpose.zh} / {purpose.en}"
        table.add_row(state, terms.bank, named, used, _time(terms.expires_at), _reminder(entry), entry["digest"][:16])
    console.print(table)


@app.command()
def revoke(digest: Digest, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """撤销授权,立即生效 / revoke, with immediate effect."""
    with opened(wallet, passphrase, platform) as own:
        own.revoke(own.find(digest))
    console.print("已撤销 / revoked")


@app.command()
def pause(digest: Digest, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """暂停授权 / pause."""
    with opened(wallet, passphrase, platform) as own:
        own.pause(own.find(digest))
    console.print("已暂停 / paused")


@app.command()
def resume(digest: Digest, wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """恢复授权 / resume."""
    with opened(wallet, passphrase, platform) as own:
        own.resume(own.find(digest))
    console.print("已恢复 / resumed")


@app.command()
def budget(
    bits: Annotated[float, typer.Argument(min=0, max=1000, help="12个月内的比特上限 / bits in 12 months")],
    wallet: Folder,
    passphrase: Passphrase,
    bank: Annotated[str | None, typer.Option(help="缺省为全部银行合计 / default: all banks together")] = None,
    platform: Address = None,
) -> None:
    """设置披露预算 / set the disclosure budget."""
    with opened(wallet, passphrase, platform) as own:
        own.set_budget(bits, bank)
    console.print("预算已更新 / budget set")


@app.command()
def usage(wallet: Folder, passphrase: Passphrase, platform: Address = None) -> None:
    """查看每一次使用 / see every use, with its bits."""
    with opened(wallet, passphrase, platform) as own:
        uses, budgets = own.usage()
    table = folding_table(
        "时间 / time", "银行 / bank", "用途 / purpose", "比特上限 / bits", "重取 / repeats", "回执 / receipt"
    )
    for use in uses:
        proven = "已验证 / verified" if use.proven else "未证明 / not proven"
        if use.logged:
            proven = "已验证,在日志中 / verified, in the log"
        table.add_row(_time(use.charged_at), use.bank, use.purpose or "-", f"{use.bits:.2f}", str(use.repeats), proven)
    console.print(table)
    for entry in budgets:
        bank = entry["bank_id"] or "全部银行 / all banks"
        spent, limit = int(entry["spent_centibits"]) / 100, int(entry["limit_centibits"]) / 100
        console.print(f"12个月内已用与上限 / used of the limit in 12 months, {bank}: {spent:.2f} / {limit:.2f} bit")


@app.command()
def proof(
    entry: Annotated[str, typer.Argument(help="评估编号或文件摘要 / assessment id, or digest of what was signed")],
    out: Annotated[Path, typer.Argument(help="证明文件 / where the proof goes")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
) -> None:
    """导出日志证明,可离线核验 / export the proof that an entry is in the log; xyd-verify checks it offline."""
    with opened(wallet, passphrase, platform) as own:
        found = own.proof(entry)
    out.write_text(found.to_json())
    console.print(f"已导出 / written: {out}(见证 / witnesses: {len(found.cosignatures)})", soft_wrap=True)


def _budget_note(wallet: Wallet, draft: Authorization) -> str:
    """What the budgets make of a grant: one of more assessments than they cover is cut short by them."""
    _, budgets = wallet.usage()
    left = min(
        int(b["limit_centibits"]) - int(b["spent_centibits"]) for b in budgets if b["bank_id"] in ("", draft.bank)
    )
    times = max(0, left) // draft.centibits_each()
    return (
        f"按预算,该银行12个月内还可得知 {left / 100:.2f} 比特,即至多 {times} 次这样的评估(xyd-wallet budget 可调整)。\n"
        f"By the budgets this bank may learn {left / 100:.2f} bits more in 12 months: at most {times} assessment(s) so."
    )


@app.command()
def lineage(
    feature: Annotated[str, typer.Argument(help="特征代码 / feature code")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
) -> None:
    """一项特征由哪些记录得出 / which records made a feature."""
    with opened(wallet, passphrase, platform) as own:
        found = own.lineage(feature)
        title = own.catalogue().feature(feature).title
    value = found.value or _NO_VALUE.get(found.status, found.status)
    console.print(f"{title.zh} / {title.en} ({found.as_of}): {value}", highlight=False)
    table = folding_table(
        "月份 / month",
        "类别 / category",
        "来源 / source",
        "记录 / record",
        "批次 / batch",
        "收到 / received",
        "作用 / effect",
    )
    for record in (*found.records, *found.left_out):
        effect = f"未用 / left out: {record.rule}" if record.rule else "计入 / used"
        shown = (record.category, record.source, record.record_id, record.batch or "-", record.received)
        table.add_row(str(record.month or "-"), *shown, effect)
    console.print(table)
    rules = ", ".join(found.rules) or "-"
    console.print(
        f"计入 / used {found.contributing}  未用 / left out {found.excluded}  规则 / rules: {rules}", highlight=False
    )
    if not found.current:
        console.print("快照后记录或异议有变化,以下次快照为准 / changed since the snapshot; the next one will follow")


@app.command()
def records(
    wallet: Folder,
    passphrase: Passphrase,
    category: Annotated[str, typer.Argument(help="类别;缺省为总览 / category; default: an overview")] = "",
    offset: Annotated[int, typer.Option(min=0, help="跳过的条数 / records to pass over")] = 0,
    platform: Address = None,
) -> None:
    """本市持有哪些本企业记录 / what the city holds about this enterprise."""
    with opened(wallet, passphrase, platform) as own:
        found, catalogue = own.own_records(category, offset), own.catalogue()
    if not category:
        table = folding_table(
            "类别 / category", "记录 / records", "未用 / left out", "最近月份 / latest", "最近收到 / received"
        )
        for held in found.holdings:
            title = catalogue.category(held.category).title
            counts = (str(held.records), str(held.left_out))
            named = f"{held.category}: {title.zh} / {title.en}"
            table.add_row(named, *counts, str(held.latest_month or "-"), held.last_received or "-")
    else:
        table = folding_table("月份 / month", "来源 / source", "记录 / record", "内容 / content", "作用 / effect")
        for record in found.records:
            effect = f"未用 / left out: {record.rule}" if record.rule else "可用 / usable"
            content = "  ".join(f"{name}={value}" for name, value in record.fields)
            table.add_row(str(record.month or "-"), record.source, record.record_id, content, effect)
    console.print(table)
    console.print(f"截至 / as of {found.as_of}", highlight=False)
    if found.more:
        console.print(f"还有更多 / there are more: --offset {offset + len(found.records)}", highlight=False)


@app.command()
def dispute(
    feature: Annotated[str, typer.Argument(help="特征代码 / feature code")],
    category: Annotated[str, typer.Argument(help="类别 / category")],
    record: Annotated[str, typer.Argument(help="记录编号 / record id, as lineage shows it")],
    wallet: Folder,
    passphrase: Passphrase,
    platform: Address = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="撤回异议 / withdraw")] = False,
    kind: Annotated[ObjectionKind, typer.Option(help="事由 / what is wrong")] = ObjectionKind.ERROR,
    text: Annotated[str, typer.Option(help="说明 / in your own words, for the department")] = "",
) -> None:
    """对一条记录提出异议 / say that a record is wrong; it is left out until its department has decided."""
    named = LineageRecord(category, record, "", 0, "")
    with opened(wallet, passphrase, platform) as own:
        found = own.lineage(feature)
        if withdraw:
            own.withdraw_dispute(found, named)
        else:
            own.dispute(found, named, kind=kind, text=text)
    console.print("已撤回 / withdrawn" if withdraw else "已提交,即刻不再使用 / disputed; it is left out from now on")


def _reminder(entry: dict[str, Any]) -> str:
    said = [
        text
        for name, text in (
            ("signed_by", f"代签 / signed by {entry['signed_by']}"),
            ("renewal_due", "30天内到期 / ends within 30 days"),
            ("reconfirm_due", "请再次确认 / to reconfirm: xyd-wallet consent reconfirm"),
        )
        if entry[name]
    ]
    return "; ".join(said) or "-"


def _time(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M UTC")


def main() -> None:
    try:
        app()
    except (WalletError, DocumentError, CatalogueError, IdentifierError, OSError) as error:
        raise SystemExit(f"xyd-wallet: {error}") from error


if __name__ == "__main__":
    main()
