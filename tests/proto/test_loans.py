"""Due dates, arrears and classes of loans, and what enterprises sign about them."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.cost import schedule
from xinyidai.identifiers import BankId, EnclaveId
from xinyidai.loans import (
    CLASSES,
    LOAN_TYPE,
    LoanAction,
    LoanDocument,
    LoanFacts,
    RiskClass,
    arrears,
    city_date,
    due_dates,
    least_class,
    parse_day,
    parse_loan_document,
    worse_class,
)
from xinyidai.market import OfferTerms, Repayment
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentMalformed, SigningKey

from tests.support.parties import uscc_number

FACTS = LoanFacts("ab" * 16, BankId("bank-a"), 10**8, 420, 12, Repayment.BULLET, 0, date(2026, 11, 25))
STAMP = Stamp(uscc_number(1), (EnclaveId("e-1"),), "n" * 24, 1_790_000_000, 1_790_000_200)


def test_a_month_too_short_ends_on_its_last_day() -> None:
    assert due_dates(date(2027, 10, 31), 5) == (
        date(2027, 11, 30), date(2027, 12, 31), date(2028, 1, 31), date(2028, 2, 29), date(2028, 3, 31)
    )  # fmt: skip


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 360))
def test_due_dates_come_once_a_month(start: date, months: int) -> None:
    found = due_dates(start, months)
    assert [100 * d.year + d.month for d in found] == sorted({100 * d.year + d.month for d in found})
    assert len(found) == months and all(d.day <= start.day for d in found) and found[0] > start


@given(st.sampled_from(Repayment), st.integers(10**4, 10**10), st.integers(1, 60), st.integers(0, 3600), st.data())
def test_who_pays_by_the_schedule_is_never_overdue(
    repayment: Repayment, amount: int, months: int, rate: int, data: Any
) -> None:
    plan, start = schedule(OfferTerms(amount, rate, months, 0, repayment, 0)), date(2026, 1, 31)
    days = due_dates(start, months)
    number = data.draw(st.integers(1, months))
    paid = sum(entry.total_fen for entry in plan[:number])
    on = data.draw(st.dates(start, days[number - 1]))
    assert arrears(plan, start, paid, on).days == 0
    late = arrears(plan, start, paid - 1, days[number - 1] + timedelta(days=3))
    due = sum(entry.total_fen for entry, day in zip(plan, days, strict=True) if day < days[number - 1] + timedelta(3))
    assert late.amount_fen == due - paid + 1 and late.since is not None and late.days >= 3


@pytest.mark.parametrize(
    ("days", "found"),
    [(0, "normal"), (1, "special_mention"), (90, "special_mention"), (91, "substandard"), (270, "substandard"),
     (271, "doubtful"), (360, "doubtful"), (361, "loss")],
)  # fmt: skip
def test_days_overdue_demand_a_class(days: int, found: str) -> None:
    assert least_class(days) == found


def test_of_two_classes_the_worse_counts() -> None:
    for one in CLASSES:
        for other in CLASSES:
            assert worse_class(one, other) == CLASSES[max(CLASSES.index(one), CLASSES.index(other))]
    assert worse_class(RiskClass.LOSS, RiskClass.NORMAL) is RiskClass.LOSS


def test_a_day_is_that_of_the_country() -> None:
    assert city_date(1_790_000_000) == date(2026, 9, 21)
    assert (city_date(1_789_919_999), city_date(1_789_920_000)) == (date(2026, 9, 20), date(2026, 9, 21))


@pytest.mark.parametrize("raw", ["", "20261125", "2026-11-31", "2026-W48-3", "2026-11-25T00:00"])
def test_other_ways_to_write_a_day_are_refused(raw: str) -> None:
    with pytest.raises(DocumentMalformed):
        parse_day(raw)


@pytest.mark.parametrize("facts", [None, FACTS])
def test_what_an_enterprise_signs_comes_back(facts: LoanFacts | None) -> None:
    document = LoanDocument(STAMP, uscc_number(1), LoanAction.CONFIRM if facts else LoanAction.READ, facts)
    key = SigningKey.generate()
    assert parse_loan_document(key.public.verify(document.sign(key), LOAN_TYPE)) == document


@given(st.dictionaries(st.sampled_from(["action", "facts", "sub", "iss", "more"]), st.one_of(
    st.none(), st.text(max_size=5), st.integers(), st.dictionaries(st.text(max_size=4), st.integers(), max_size=3))
))  # fmt: skip
def test_anything_else_is_malformed(changes: dict[str, Any]) -> None:
    members = {**STAMP.claims(), "sub": uscc_number(1), "action": "confirm", "facts": FACTS.claims()}
    wrong = members | changes
    if wrong == members:
        return
    with pytest.raises(DocumentMalformed):
        parse_loan_document(Claims(wrong))
