"""The operator's commands for schemes of risk sharing. Each is one transaction and one line in the audit."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sqlmodel import Session, select
from xinyidai.loans import FilingState

from server.audit.models import Kind
from server.audit.service import OK, Event, append
from server.db import Database
from server.paging import Page
from server.risk import filings
from server.risk.ledger import balances
from server.risk.models import ALL_BANKS, RiskPosition
from server.risk.publishing import contribute, publish_scheme, resume

_MOST: Final = 500
Clock = Callable[[], int]


def add_risk_commands(parser: argparse.ArgumentParser) -> None:
    """`xyd-server risk <command>`."""
    commands = parser.add_subparsers(dest="risk", required=True)

    def command(name: str, text: str, *arguments: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text)
        made.add_argument("--config", type=Path, required=True)
        for argument in arguments:
            made.add_argument(argument)
        return made

    command("publish", "发布方案版本 / publish a version of a scheme", "file")
    made = command("contribute", "登记出资 / book a contribution", "scheme", "party", "fen", "reference")
    made.description = "fen: 以分为单位 / in fen. reference: 同一凭证只记一次 / booked once"
    command("filings", "列出备案和代偿申请 / list filings and claims").add_argument(
        "--state", choices=list(FilingState), action="append", default=[]
    )
    command("approve", "同意代偿 / approve a claim", "loan").add_argument("--by", required=True)
    command("reject", "拒绝代偿 / reject a claim", "loan").add_argument("--reason", required=True)
    command("pay", "支付代偿,须由另一人 / pay a claim, by another person", "loan").add_argument("--by", required=True)
    command("write-off", "核销 / expect no more recoveries", "loan")
    command("resume", "解除熔断 / let filings go on", "scheme").add_argument("--bank", default=ALL_BANKS)
    command("positions", "备案、申请金额和熔断状态 / what is filed and claimed, and the fuses", "scheme")
    command("balances", "账户余额 / balances of the ledger", "scheme")


def run_risk(database: Database, chosen: Any, clock: Clock) -> str:
    """What to print. Raises `Refused`, `OSError`, `ValueError`."""
    if chosen.risk == "filings":
        return _filings(database, [FilingState(state) for state in chosen.state])
    if chosen.risk == "positions":
        return _positions(database, chosen.scheme)
    if chosen.risk == "balances":
        return _balances(database, chosen.scheme)
    kind, work = _change(chosen, clock())
    with database.transaction(f"risk {chosen.risk}") as session:
        said = work(session)
        append(session, [Event(kind, OK)], clock())
    return said


def _change(chosen: Any, now: int) -> tuple[Kind, Callable[[Session], str]]:
    if chosen.risk == "publish":
        raw = Path(chosen.file).read_bytes()
        return Kind.PUBLISH_SCHEME, lambda session: _published(session, raw, now)
    if chosen.risk == "contribute":
        return Kind.CONTRIBUTE, lambda session: _contributed(session, chosen, now)
    if chosen.risk == "resume":
        return Kind.RESUME_SCHEME, lambda session: _resumed(session, chosen)
    decide: dict[str, tuple[Kind, Callable[[Session], Any]]] = {
        "approve": (Kind.APPROVE_CLAIM, lambda session: filings.approve(session, chosen.loan, chosen.by)),
        "reject": (Kind.REJECT_CLAIM, lambda session: filings.reject(session, chosen.loan, chosen.reason, now)),
        "pay": (Kind.PAY_CLAIM, lambda session: filings.pay(session, chosen.loan, chosen.by, now)),
        "write-off": (Kind.WRITE_OFF, lambda session: filings.write_off(session, chosen.loan, now)),
    }
    kind, work = decide[chosen.risk]
    return kind, lambda session: f"备案状态 / the filing is now: {work(session).state}"


def _published(session: Session, raw: bytes, now: int) -> str:
    scheme = publish_scheme(session, raw, now)
    return f"已发布 / published {scheme.scheme_id} version {scheme.version}: {scheme.valid_from} - {scheme.valid_until}"


def _contributed(session: Session, chosen: Any, now: int) -> str:
    new = contribute(session, chosen.scheme, chosen.party, int(chosen.fen), chosen.reference, now)
    return "已入账 / booked" if new else "此凭证已入账,未重复记 / this reference was booked before; nothing changed"


def _resumed(session: Session, chosen: Any) -> str:
    resume(session, chosen.scheme, chosen.bank)
    return "已恢复备案 / filings go on"


def _filings(database: Database, states: list[FilingState]) -> str:
    with database.reading() as session:
        found, following = filings.list_filings(session, None, states, Page(_MOST, None))
    lines = [
        f"{f.loan_id} {f.state:9} {f.bank} {f.scheme_id}@{f.scheme_version} "
        f"本金 / principal {f.principal_fen} 申请 / claimed {f.claimed_fen} 追回 / recovered {f.recovered_fen} (fen)"
        for f in found
    ]
    more = [f"仅列最新 {_MOST} 笔 / the newest {_MOST} only; give --state"] if following else []
    return "\n".join([*lines, *more]) or "没有 / none"


def _positions(database: Database, scheme: str) -> str:
    with database.reading() as session:
        found = session.exec(select(RiskPosition).where(RiskPosition.scheme_id == scheme).order_by(RiskPosition.bank))
        lines = [
            f"{position.bank or '全部 / all'}: 备案 / filed {position.filed_fen} "
            f"申请 / claimed {position.claimed_fen} fen"
            + (" 预警 / warned" if position.warned_at else "")
            + (" 熔断 / paused" if position.paused_at else "")
            for position in found
        ]
    return "\n".join(lines) or "没有 / none"


def _balances(database: Database, scheme: str) -> str:
    with database.reading() as session:
        found = balances(session, scheme)
    return "\n".join(f"{account.balance_fen:>16} fen  {account.account_id}" for account in found) or "没有 / none"
