"""What enterprises and banks sign about the white list, and the enclave's word on it. Each has a type of its own.

The opt-in is a consent of its own: no authorization stands for it, and it stands for none.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from xinyidai.catalogue import Catalogue
from xinyidai.confidential import SealingKey
from xinyidai.identifiers import BankId, EnclaveId, Uscc
from xinyidai.parties import bank_of, enclave_of, enterprise_of, key_of
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey
from xinyidai.whitelist.scorecard import PublicScorecard

OPT_IN_TYPE: Final = "white-list-opt-in+jwt"
OPT_OUT_TYPE: Final = "white-list-opt-out+jwt"
CONFIRMATION_TYPE: Final = "white-list-confirmation+jwt"
SUBSCRIPTION_TYPE: Final = "white-list-subscription+jwt"
PURPOSE: Final = "white_list"
PURPOSE_VERSION: Final = 1
MAX_BANKS: Final = 64
MAX_VALIDITY_DAYS: Final = 366
CENTIBITS: Final = 100
"""One determination of the standing, told to one bank: a yes or a no."""


@dataclass(frozen=True, slots=True)
class OptIn:
    """An enterprise wants banks to find it while it has an open demand and is in good standing."""

    stamp: Stamp
    enterprise: Uscc
    banks: tuple[BankId, ...]
    """Empty: every bank that subscribes."""
    not_after: int
    """Seconds since 1970-01-01 UTC, at most 366 days from the signing."""
    scorecard: str
    scorecard_digest: str
    notice_hash: str
    """Hex SHA-256 of the text the enterprise was shown (`render_notice`)."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {
            **self.stamp.claims(),
            "sub": self.enterprise,
            "purpose": PURPOSE,
            "purpose_version": PURPOSE_VERSION,
            "not_after": self.not_after,
            "scorecard": self.scorecard,
            "scorecard_digest": self.scorecard_digest,
            "notice_hash": self.notice_hash,
        }
        if self.banks:
            members["banks"] = list(self.banks)
        return key.sign(members, OPT_IN_TYPE)


def parse_opt_in(claims: Claims) -> OptIn:
    """Raises `DocumentMalformed`."""
    claims.only(
        *Stamp.MEMBERS, "sub", "purpose", "purpose_version", "not_after", "scorecard", "scorecard_digest",
        "notice_hash", "banks",
    )  # fmt: skip
    if (claims.text("purpose"), claims.integer("purpose_version", 1, 1_000_000)) != (PURPOSE, PURPOSE_VERSION):
        raise DocumentMalformed(f"an opt-in has the purpose {PURPOSE}, version {PURPOSE_VERSION}")
    stamp = parse_stamp(claims)
    named = claims.texts("banks", most=MAX_BANKS) if "banks" in claims.members else ()
    opt_in = OptIn(
        stamp=stamp,
        enterprise=enterprise_of(claims, stamp),
        banks=tuple(bank_of(name) for name in named),
        not_after=claims.instant("not_after"),
        scorecard=claims.text("scorecard", most=128),
        scorecard_digest=claims.digest("scorecard_digest"),
        notice_hash=claims.digest("notice_hash"),
    )
    if not 0 < opt_in.not_after - stamp.issued_at <= MAX_VALIDITY_DAYS * DAY_SECONDS:
        raise DocumentMalformed(f"an opt-in is valid for at most {MAX_VALIDITY_DAYS} days")
    return opt_in


@dataclass(frozen=True, slots=True)
class OptOut:
    """The enterprise leaves every list."""

    stamp: Stamp
    enterprise: Uscc

    def sign(self, key: SigningKey) -> str:
        return key.sign({**self.stamp.claims(), "sub": self.enterprise}, OPT_OUT_TYPE)


def parse_opt_out(claims: Claims) -> OptOut:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub")
    stamp = parse_stamp(claims)
    return OptOut(stamp, enterprise_of(claims, stamp))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The enclave says that a statement holds: a relay that swallowed it cannot claim otherwise."""

    enclave: EnclaveId
    enterprise: Uscc
    listed: bool
    """True after an opt-in, False after an opt-out: from here on no list is made with the enterprise."""
    statement: str
    """Hex digest of the signing input of the statement."""
    confirmed_at: int

    def sign(self, key: SigningKey) -> str:
        members = {
            "iss": self.enclave,
            "sub": self.enterprise,
            "iat": self.confirmed_at,
            "state": "in" if self.listed else "out",
            "statement": self.statement,
        }
        return key.sign(members, CONFIRMATION_TYPE, with_chain=True)


def parse_confirmation(claims: Claims) -> Confirmation:
    """Raises `DocumentMalformed`."""
    claims.only("iss", "sub", "iat", "state", "statement")
    state = claims.text("state", most=8)
    if state not in ("in", "out"):
        raise DocumentMalformed("state is in or out")
    return Confirmation(
        enclave_of(claims), enterprise_of(claims), state == "in", claims.digest("statement"), claims.instant("iat")
    )


@dataclass(frozen=True, slots=True, eq=False)
class Subscription:
    """A bank wants the white list, sealed to `reader`; without one, it wants it no longer. Signed with its
    certificate."""

    stamp: Stamp
    reader: SealingKey | None

    def sign(self, key: SigningKey) -> str:
        reader = {} if self.reader is None else {"reader": self.reader.claims()}
        return key.sign({**self.stamp.claims(), **reader}, SUBSCRIPTION_TYPE, with_chain=True)


def parse_subscription(claims: Claims) -> Subscription:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "reader")
    return Subscription(parse_stamp(claims), key_of(claims, "reader") if "reader" in claims.members else None)


def render_notice(opt_in: OptIn, scorecard: PublicScorecard, catalogue: Catalogue) -> str:
    """What an enterprise is shown before it opts in: made from the terms alone, by wallet and enclave alike."""
    chosen = [catalogue.category(code).title for code in scorecard.categories]
    end = datetime.fromtimestamp(opt_in.not_after, UTC).strftime("%Y-%m-%d %H:%M UTC")
    banks_zh = "、".join(opt_in.banks) or "所有订阅白名单的银行"
    banks_en = ", ".join(opt_in.banks) or "every bank that subscribes to the white list"
    return "\n".join(
        [
            f"【白名单告知书 / 第{PURPOSE_VERSION}版】",
            f"您(统一社会信用代码 {opt_in.enterprise})同意在 {end} 前,当贵企业有未办结的融资需求且达到"
            f"“{scorecard.title.zh}”({scorecard.reference})时,列入白名单,供以下银行主动联系:{banks_zh}。",
            f"判断使用以下 {len(chosen)} 类信息:{';'.join(title.zh for title in chosen)}。",
            "银行只得知贵企业是否在名单上,看不到记录、分数或未列入的原因。每重新判断一次,对每家银行计1比特,从披露预算中扣除。",
            "这与评估授权是两回事:不勾选不影响任何其他服务。您可以随时退出,退出后制作的名单不再有贵企业。",
            f"数据域:{', '.join(opt_in.stamp.audience)}。",
            "",
            f"[Notice of the white list / version {PURPOSE_VERSION}]",
            f"You ({opt_in.enterprise}) agree that until {end}, while you have an open demand for finance and meet "
            f'"{scorecard.title.en}" ({scorecard.reference}), you are on a list by which these may turn to you: '
            f"{banks_en}.",
            f"It is decided on these {len(chosen)} categories: {'; '.join(title.en for title in chosen)}.",
            "A bank learns whether you are on the list, and no record, no points and no reason. Each time it is "
            "decided anew counts one bit for each bank, taken from your budgets.",
            "This is apart from any authorization: leaving it unticked changes nothing else. You may leave at any "
            "time; no list made after that has you.",
            f"Data domain: {', '.join(opt_in.stamp.audience)}.",
        ]
    )


def notice_hash(opt_in: OptIn, scorecard: PublicScorecard, catalogue: Catalogue) -> str:
    """Hex SHA-256 of the UTF-8 text."""
    return hashlib.sha256(render_notice(opt_in, scorecard, catalogue).encode()).hexdigest()
