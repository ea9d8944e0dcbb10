"""白名单、贷后预警、模型监测 / the white list, alerts after the loan, monitoring of the model."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table as Rows
from xinyidai.alerts.rules import titles

from bank_sdk.alerts import AlertClient, ReceivedAlert, WatchStatus
from bank_sdk.client import BankClient
from bank_sdk.commands.profile import Profile
from bank_sdk.commands.shared import DEFAULT_PROFILE, PolicyPath, ProfilePath, moment, out
from bank_sdk.decision import Policy
from bank_sdk.errors import InputError
from bank_sdk.feedback import PeriodReview, read_outcomes, review
from bank_sdk.whitelist import WhiteList, WhiteListClient

AsJson = Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")]
_LEVELS = {"none": "无 / none", "blue": "蓝 / blue", "yellow": "黄 / yellow", "red": "红 / red"}


def white_list(
    profile: ProfilePath = DEFAULT_PROFILE,
    subscribe: Annotated[
        bool | None, typer.Option("--subscribe/--unsubscribe", help="订阅或退订 / subscribe, or no longer")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """查看白名单 / the white list: in good standing, and looking for finance."""

    async def ask(client: BankClient) -> WhiteList | None:
        lists = WhiteListClient(client)
        if subscribe is None:
            return await lists.white_list()
        await (lists.subscribe() if subscribe else lists.unsubscribe())
        return None

    with Profile.load(profile).connect() as client:
        found = client.run(ask)
    if found is None:
        out.print("已订阅 / subscribed" if subscribe else "已退订 / no longer subscribed")
        return
    if as_json:
        out.print(json.dumps(asdict(found), ensure_ascii=False), soft_wrap=True, markup=False)
        return
    out.print(
        f"版本 / version {found.version}  数据截至 / as of {found.as_of}  有效至 / until {moment(found.expires_at)}"
    )
    rows = Rows("企业 / enterprise", "需求 / demand")
    for member in found.members:
        rows.add_row(member.enterprise, member.demand)
    out.print(rows)
    for entry in found.withdrawn:
        out.print(f"已退出,请删除 / left, forget it: {entry.enterprise} ({moment(entry.at)})")


def alerts(
    profile: ProfilePath = DEFAULT_PROFILE,
    watch: Annotated[str | None, typer.Option(help="开始监测该企业 / start to watch this USCC")] = None,
    end: Annotated[str | None, typer.Option(help="停止监测:授权摘要 / end the watch under this digest")] = None,
    watches: Annotated[bool, typer.Option("--watches", help="列出监测 / list the watches")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="不确认收到 / do not acknowledge")] = False,
    as_json: AsJson = False,
) -> None:
    """贷后预警:登记监测,读取预警 / alerts after the loan."""

    async def ask(client: BankClient) -> list[WatchStatus]:
        line = AlertClient(client)
        if watch is not None:
            return [await line.watch(watch)]
        return [await line.end(end)] if end is not None else await line.watches()

    with Profile.load(profile).connect() as client:
        if watch is not None or end is not None or watches:
            found = client.run(ask)
            _print(found, as_json, lambda: _watch_rows(found))
            return
        received = client.run(lambda line: AlertClient(line).alerts())
        _print(received, as_json, lambda: _alert_rows(received))
        # Only what has been shown is acknowledged.
        if not keep:
            client.run(lambda line: AlertClient(line).acknowledge(received))


def _print(found: Sequence[Any], as_json: bool, rows: Callable[[], Rows]) -> None:
    if as_json:
        out.print(json.dumps([asdict(entry) for entry in found], ensure_ascii=False), soft_wrap=True, markup=False)
    else:
        out.print(rows())


def _watch_rows(found: Sequence[WatchStatus]) -> Rows:
    rows = Rows("企业 / enterprise", "状态 / state", "原因 / reason", "预警数 / alerts", "最近 / last", "授权 / digest")
    for entry in found:
        last = moment(entry.checked_at or None)
        rows.add_row(entry.enterprise, entry.state, entry.reason or "-", str(entry.alerts), last, entry.authorization)
    return rows


def _alert_rows(found: Sequence[ReceivedAlert]) -> Rows:
    rows = Rows("企业 / enterprise", "级别 / level", "事件 / events", "数据截至 / as of", "遗漏 / missing")
    names = titles()
    for entry in found:
        alert = entry.alert
        events = "; ".join(f"{names[r].zh} / {names[r].en}" if r in names else r for r in alert.rules) or "-"
        rows.add_row(alert.enterprise, _LEVELS[alert.level], events, alert.as_of, str(entry.missing or "-"))
    return rows


def monitor(
    outcomes: Annotated[
        Path, typer.Option(help="贷款结果 / CSV: month, score, decision, bad", exists=True, dir_okay=False)
    ],
    policy: PolicyPath = None,
    cuts: Annotated[
        str, typer.Option(help="分段界,逗号分隔;缺省用规则的等级界 / band edges; default: the grades")
    ] = "",
    months: Annotated[int, typer.Option(help="每期月数 / months a period")] = 3,
    as_json: AsJson = False,
) -> None:
    """用坏账与拒贷结果监测模型,全部在本机 / monitor the model by outcomes; nothing is sent."""
    rules = None if policy is None else Policy.load(policy)
    found = review(read_outcomes(outcomes), _cuts(cuts, rules), months=months, policy=rules)
    if as_json:
        out.print(json.dumps([_plain(entry) for entry in found]), soft_wrap=True, markup=False)
        return
    rows = Rows(
        "期间 / period", "申请 / applications", "拒贷 / refused", "坏账 / bads", "预期 / expected", "PSI", "AUC", "KS",
        "结论 / reading",
    )  # fmt: skip
    for entry in found:
        plain = _plain(entry)
        shown = ("-" if plain[name] is None else f"{plain[name]:.3f}" for name in ("psi", "auc", "ks"))
        expected = "-" if entry.expected_bads is None else f"{entry.expected_bads:.1f}"
        period, bads = f"{entry.first}-{entry.last}", f"{entry.bads}/{entry.known}"
        rows.add_row(period, str(entry.applications), str(entry.refused), bads, expected, *shown, entry.reading)
    out.print(rows)


def _plain(entry: PeriodReview) -> dict[str, int | float | str | None]:
    shape, found = entry.stability, entry.discrimination
    return {
        "first": entry.first,
        "last": entry.last,
        "applications": entry.applications,
        "refused": entry.refused,
        "known": entry.known,
        "bads": entry.bads,
        "expected_bads": entry.expected_bads,
        "deviation": entry.deviation,
        "psi": shape.index if shape else None,
        "auc": found.auc if found else None,
        "ks": found.ks if found else None,
        "reading": entry.reading,
    }


def _cuts(text: str, policy: Policy | None) -> list[int]:
    if text:
        parts = [part.strip() for part in text.split(",")]
        if any(not part.removeprefix("-").isdigit() for part in parts):
            raise InputError("cuts are whole scores, with commas between")
        return [int(part) for part in parts]
    if policy is None:
        raise InputError("say where bands are cut with --cuts, or give a --policy with grades")
    return sorted(grade.from_points for grade in policy.grades if grade.from_points is not None)
