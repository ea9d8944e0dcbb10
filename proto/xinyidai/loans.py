"""What happens to a loan after an offer was accepted: states, risk classes, due dates, arrears, and what an enterprise
signs about its loans.

Money in fen, rates in basis points a year. Days are calendar days of UTC+8, the one time zone of the country.
"""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Final

from xinyidai.cost import Instalment
from xinyidai.identifiers import BankId, IdentifierError, Uscc, parse_bank_id, parse_uscc
from xinyidai.market import MAX_FEN, MAX_MONTHS, MAX_RATE_BP, Repayment
from xinyidai.requests import Stamp, parse_stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

LOAN_TYPE: Final = "loan+jwt"
_ZONE: Final = timezone(timedelta(hours=8))
_MAX_ID: Final = 64


class LoanState(StrEnum):
    REGISTERED = "registered"
    """The bank has registered what the enterprise accepted; nothing is paid out yet."""
    DISBURSED = "disbursed"
    REPAYING = "repaying"
    OVERDUE = "overdue"
    """Something that was due is not paid."""
    BAD = "bad"
    """In one of the last three classes."""
    SETTLED = "settled"
    CANCELLED = "cancelled"
    """Never paid out."""
    COMPENSATED = "compensated"
    """The bearers of the risk have paid their shares; what still comes in is a recovery."""
    RECOVERED = "recovered"
    """Compensated, and all of it came in after all."""
    WRITTEN_OFF = "written_off"
    """Compensated, and nothing more is expected."""


class RiskClass(StrEnum):
    """The five classes of Order 1 of 2023 of CBIRC and PBOC (商业银行金融资产风险分类办法), best first."""

    NORMAL = "normal"
    """正常"""
    SPECIAL_MENTION = "special_mention"
    """关注"""
    SUBSTANDARD = "substandard"
    """次级"""
    DOUBTFUL = "doubtful"
    """可疑"""
    LOSS = "loss"
    """损失"""


CLASSES: Final = tuple(RiskClass)
BAD_CLASSES: Final = CLASSES[2:]
_LEAST_CLASS: Final = ((360, RiskClass.LOSS), (270, RiskClass.DOUBTFUL), (90, RiskClass.SUBSTANDARD),
                       (0, RiskClass.SPECIAL_MENTION))  # fmt: skip
"""More than so many days overdue: that class at least (articles 10 to 13 of the Order)."""


class FilingState(StrEnum):
    FILED = "filed"
    CLAIMED = "claimed"
    APPROVED = "approved"
    REJECTED = "rejected"
    """The claim was refused; the bank may claim again while the time for it runs."""
    PAID = "paid"
    RELEASED = "released"
    """The loan was repaid; nobody has to bear anything."""
    CLOSED = "closed"
    """Paid, and everything was recovered or nothing more is expected."""


def city_date(seconds: int) -> date:
    """The calendar day of a moment, in UTC+8."""
    return datetime.fromtimestamp(seconds, UTC).astimezone(_ZONE).date()


def due_dates(start: date, months: int) -> tuple[date, ...]:
    """The day of each instalment: that of the payment out, or the last one of a month too short for it."""
    found = []
    for number in range(1, months + 1):
        year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
        found.append(date(year, month + 1, min(start.day, calendar.monthrange(year, month + 1)[1])))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Arrears:
    amount_fen: int
    since: date | None
    """When the oldest instalment that is not wholly paid was due; None without arrears."""
    days: int
    """Since then; 0 without arrears."""


def arrears(instalments: Sequence[Instalment], start: date, paid_fen: int, on: date) -> Arrears:
    """What is overdue on a day when `paid_fen` (principal and interest) was paid in all.

    Payments count for the oldest instalment first, so who paid ahead is not overdue. What falls due on `on` itself is
    not overdue yet.
    """
    due, since = 0, None
    for instalment, day in zip(instalments, due_dates(start, len(instalments)), strict=True):
        if day >= on:
            break
        due += instalment.total_fen
        if since is None and due > paid_fen:
            since = day
    if since is None:
        return Arrears(0, None, 0)
    return Arrears(due - paid_fen, since, (on - since).days)


def least_class(overdue_days: int) -> RiskClass:
    """The best class a loan may still have when it is overdue for so many days."""
    return next((found for days, found in _LEAST_CLASS if overdue_days > days), RiskClass.NORMAL)


def worse_class(one: RiskClass, other: RiskClass) -> RiskClass:
    return max(one, other, key=CLASSES.index)


def parse_day(raw: str) -> date:
    """ISO 8601, "2026-11-25". Raises `DocumentMalformed`."""
    try:
        found = date.fromisoformat(raw)
    except ValueError as error:
        raise DocumentMalformed("a day is written like 2026-11-25") from error
    if found.isoformat() != raw:
        raise DocumentMalformed("a day is written like 2026-11-25")
    return found


def parse_risk_class(raw: str) -> RiskClass:
    """Raises `DocumentMalformed`."""
    try:
        return RiskClass(raw)
    except ValueError as error:
        raise DocumentMalformed(f"a risk class is one of: {', '.join(RiskClass)}") from error


@dataclass(frozen=True, slots=True)
class LoanFacts:
    """What an enterprise confirms: which bank paid out how much, when and on what terms."""

    loan: str
    bank: BankId
    amount_fen: int
    annual_rate_bp: int
    months: int
    repayment: Repayment
    fee_fen: int
    disbursed_on: date

    def claims(self) -> dict[str, Any]:
        return {
            "loan": self.loan,
            "client_id": self.bank,
            "amount_fen": self.amount_fen,
            "annual_rate_bp": self.annual_rate_bp,
            "months": self.months,
            "repayment": str(self.repayment),
            "fee_fen": self.fee_fen,
            "disbursed_on": self.disbursed_on.isoformat(),
        }


def parse_loan_facts(claims: Claims) -> LoanFacts:
    """Raises `DocumentMalformed`."""
    claims.only("loan", "client_id", "amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen", "disbursed_on")
    try:
        bank, repayment = parse_bank_id(claims.text("client_id")), Repayment(claims.text("repayment"))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed("client_id is a bank, repayment one of the ways to repay") from error
    return LoanFacts(
        loan=claims.text("loan", most=_MAX_ID),
        bank=bank,
        amount_fen=claims.integer("amount_fen", 1, MAX_FEN),
        annual_rate_bp=claims.integer("annual_rate_bp", 0, MAX_RATE_BP),
        months=claims.integer("months", 1, MAX_MONTHS),
        repayment=repayment,
        fee_fen=claims.integer("fee_fen", 0, MAX_FEN),
        disbursed_on=parse_day(claims.text("disbursed_on", most=10)),
    )


class LoanAction(StrEnum):
    CONFIRM = "confirm"
    READ = "read"
    """Shows the enterprise its own loans; changes nothing."""


@dataclass(frozen=True, slots=True)
class LoanDocument:
    """A JWS of type `loan+jwt` with the registrar's certificate in x5c."""

    stamp: Stamp
    enterprise: Uscc
    action: LoanAction
    facts: LoanFacts | None = None
    """confirm."""

    def sign(self, key: SigningKey) -> str:
        members: dict[str, Any] = {**self.stamp.claims(), "sub": self.enterprise, "action": str(self.action)}
        if self.facts is not None:
            members["facts"] = self.facts.claims()
        return key.sign(members, LOAN_TYPE, with_chain=True)


def parse_loan_document(claims: Claims) -> LoanDocument:
    """Raises `DocumentMalformed`."""
    claims.only(*Stamp.MEMBERS, "sub", "action", "facts")
    try:
        enterprise = parse_uscc(claims.text("sub"))
    except IdentifierError as error:
        raise DocumentMalformed(str(error)) from error
    if claims.text("iss") != enterprise:
        raise DocumentMalformed("issuer and subject must be the same enterprise")
    action, members = claims.text("action"), claims.members.get("facts")
    if action == LoanAction.READ and members is None:
        return LoanDocument(parse_stamp(claims), enterprise, LoanAction.READ)
    if action == LoanAction.CONFIRM and isinstance(members, dict):
        facts = parse_loan_facts(Claims(members))
        return LoanDocument(parse_stamp(claims), enterprise, LoanAction.CONFIRM, facts)
    raise DocumentMalformed("action is read, or confirm with the facts that are confirmed")
