"""The text an enterprise is shown before it signs, made from the terms alone, so that wallet and enclave make the same
text and `notice_hash` proves what was shown."""

import hashlib
from datetime import UTC, datetime

from xinyidai.authorization import Authorization, Disclosure
from xinyidai.catalogue import Catalogue
from xinyidai.purposes import PURPOSES

NOTICE_VERSION = 1


def render_notice(authorization: Authorization, catalogue: Catalogue) -> str:
    """Chinese first, then English. Depends on nothing but its arguments; `notice_hash` itself is not part of it."""
    each = authorization.centibits_each()
    # Every enclave keeps a ledger of its own.
    total = each * authorization.max_assessments * len(authorization.enclaves)
    enclaves = ", ".join(authorization.enclaves)
    purpose = PURPOSES.get(authorization.purpose)
    zh_purpose, en_purpose = (purpose.zh, purpose.en) if purpose else (authorization.purpose, authorization.purpose)
    chosen = [catalogue.category(code) for code in authorization.categories]
    start, end = _day(authorization.not_before), _day(authorization.expires_at)
    by_category = authorization.disclosure is Disclosure.BY_CATEGORY
    precision = authorization.precision_points
    return "\n".join(
        [
            f"【授权告知书 / 第{NOTICE_VERSION}版】",
            f"您(统一社会信用代码 {authorization.enterprise})将授权银行 {authorization.bank} "
            f"在 {start} 至 {end} 期间,为“{zh_purpose}”对贵企业进行信用评估,最多 {authorization.max_assessments} 次。",
            f"评估使用以下 {len(chosen)} 类信息:{';'.join(c.title.zh for c in chosen)}。",
            "银行看不到任何一条记录,"
            + ("只得到每一类信息的分数" if by_category else "只得到一个总分")
            + (f",且误差可达正负 {precision} 分。" if precision else "。"),
            f"即使银行作弊,每次评估最多得知 {_number(each)} 比特,全部评估合计最多 {_number(total)} 比特,"
            f"即最多 {-(-total // 100)} 个由银行自选的“是或否”的事实。",
            f"数据域:{enclaves}。",
            *_replacing_zh(authorization),
            "您可以随时暂停或撤销本授权,撤销立即生效;每次使用您都能看到。",
            "",
            f"[Notice of authorization / version {NOTICE_VERSION}]",
            f"You ({authorization.enterprise}) authorize bank {authorization.bank} to assess your credit for "
            f"{en_purpose} from {start} to {end}, at most {authorization.max_assessments} time(s).",
            f"It uses these {len(chosen)} categories: {'; '.join(c.title.en for c in chosen)}.",
            "The bank sees no record; it gets "
            + ("one score for each category" if by_category else "one total score")
            + (f", off by up to {precision} points either way." if precision else "."),
            f"Even if the bank cheats, it learns at most {_number(each)} bits an assessment and {_number(total)} bits "
            f"in all: at most {-(-total // 100)} yes/no facts of its own choosing.",
            f"Data domain: {enclaves}.",
            *_replacing_en(authorization),
            "You may pause or revoke this at any time, with immediate effect, and you see every use.",
        ]
    )


def _replacing_zh(authorization: Authorization) -> list[str]:
    """Only where there is something to say, so that every other notice reads as it always did."""
    said = []
    if authorization.parent is not None:
        said.append(f"本授权取代您此前的授权 {authorization.parent[:16]},后者同时终止。")
    if authorization.request is not None:
        said.append(f"本授权答复该银行的授权请求 {authorization.request[:16]}。")
    return said


def _replacing_en(authorization: Authorization) -> list[str]:
    said = []
    if authorization.parent is not None:
        said.append(f"It replaces your authorization {authorization.parent[:16]}, which ends at the same moment.")
    if authorization.request is not None:
        said.append(f"It answers the bank's request {authorization.request[:16]}.")
    return said


def notice_hash(authorization: Authorization, catalogue: Catalogue) -> str:
    """Hex SHA-256 of the UTF-8 text."""
    return hashlib.sha256(render_notice(authorization, catalogue).encode()).hexdigest()


def _number(centibits: int) -> str:
    return f"{centibits / 100:.2f}"


def _day(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M UTC")
