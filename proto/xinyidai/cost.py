"""What a loan costs, exactly, in fen: every party computes the same numbers from the same terms.

The monthly rate is a twelfth of the annual rate. Interest of a month is on the principal still owed, rounded half up to
a fen. Months are equal; a bank that counts days will differ by a little, and says so in its contract.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from xinyidai.market import OfferTerms, Repayment

_YEAR: Final = 120_000
"""Twelve months of 10,000 basis points: the monthly rate is annual_rate_bp / _YEAR."""
_MOST_BP: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Instalment:
    month: int
    """1 to the number of months."""
    principal_fen: int
    interest_fen: int

    @property
    def total_fen(self) -> int:
        return self.principal_fen + self.interest_fen


@dataclass(frozen=True, slots=True)
class Cost:
    interest_fen: int
    fee_fen: int
    annualised_bp: int
    """The least whole number of basis points a year (monthly rate times twelve) at which all instalments are worth no
    more than what the enterprise receives after the fee; 1,000,000 stands for that and everything above."""

    @property
    def total_fen(self) -> int:
        return self.interest_fen + self.fee_fen


def schedule(terms: OfferTerms) -> tuple[Instalment, ...]:
    """One entry a month; the principals add up to the loan."""
    amount, months, rate = terms.amount_fen, terms.months, terms.annual_rate_bp
    if terms.repayment is Repayment.BULLET:
        silent = tuple(Instalment(month, 0, 0) for month in range(1, months))
        return (*silent, Instalment(months, amount, _rounded(amount * rate * months, _YEAR)))
    payment = _level_payment(amount, months, rate)
    left, entries = amount, []
    for month in range(1, months + 1):
        interest = _rounded(left * rate, _YEAR)
        if month == months:
            principal = left
        elif terms.repayment is Repayment.INTEREST_MONTHLY:
            principal = 0
        elif terms.repayment is Repayment.EQUAL_PRINCIPAL:
            principal = amount * month // months - amount * (month - 1) // months
        else:
            principal = min(left, payment - interest)
        entries.append(Instalment(month, principal, interest))
        left -= principal
    return tuple(entries)


def cost_of(terms: OfferTerms) -> Cost:
    """Interest, fees, and both as a yearly rate."""
    entries = schedule(terms)
    interest = sum(entry.interest_fen for entry in entries)
    return Cost(interest, terms.fee_fen, _annualised([e.total_fen for e in entries], terms.amount_fen - terms.fee_fen))


def _level_payment(amount: int, months: int, rate: int) -> int:
    """The level instalment, rounded up to a fen; what rounding leaves, at most a fen a month, falls to the last one."""
    if rate == 0:
        return -(-amount // months)
    growth = Fraction(_YEAR + rate, _YEAR) ** months
    exact = amount * Fraction(rate, _YEAR) * growth / (growth - 1)
    return -(-exact.numerator // exact.denominator)


def _annualised(flows: list[int], received: int) -> int:
    """Bisection over whole basis points; each comparison is exact, in integers."""
    low, high = 0, _MOST_BP
    while low < high:
        middle = (low + high) // 2
        if _worth_no_more(flows, received, middle):
            high = middle
        else:
            low = middle + 1
    return low


def _worth_no_more(flows: list[int], received: int, rate: int) -> bool:
    """sum(flow_m * v^m) <= received, with v = _YEAR / (_YEAR + rate), multiplied by (_YEAR + rate)^n."""
    above = _YEAR + rate
    worth, discount = 0, 1
    for flow in flows:
        discount *= _YEAR
        worth = worth * above + flow * discount
    return worth <= received * int(above ** len(flows))


def _rounded(numerator: int, denominator: int) -> int:
    """Half up, for numbers that are not negative."""
    return (2 * numerator + denominator) // (2 * denominator)
