"""The market's contract: what a loan costs, to the fen, and what an enterprise signs about its demands."""

from decimal import Decimal, getcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.cost import cost_of, schedule
from xinyidai.demands import DEMAND_TYPE, Choice, DemandAction, DemandDocument, demand_id, parse_demand_document
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.market import (
    MAX_FEN,
    MAX_RATE_BP,
    DemandTerms,
    Guarantee,
    LoanPurpose,
    OfferTerms,
    ProductTerms,
    Repayment,
    parse_decline_reason,
    parse_demand_terms,
    parse_offer_terms,
    parse_product_terms,
)
from xinyidai.requests import Stamp
from xinyidai.signing import Claims, DocumentError, DocumentMalformed, SigningKey

YUAN = 100
NOW = 1_790_000_000
KEY = SigningKey.generate("Ed25519")
USCC = parse_uscc("914403001922038216")
STAMP = Stamp(USCC, (parse_enclave_id("enclave-a"),), "n" * 16, NOW, NOW + 300)


def loan(amount: int, rate: int, months: int, repayment: Repayment, fee: int = 0) -> OfferTerms:
    return OfferTerms(amount, rate, months, fee, repayment, NOW)


offers = st.builds(
    loan,
    st.integers(10_000, 10**11),
    st.integers(0, MAX_RATE_BP),
    st.integers(1, 60),
    st.sampled_from(Repayment),
    st.integers(0, 5_000),
)
demand_terms = st.builds(
    DemandTerms,
    st.integers(1, MAX_FEN),
    st.integers(1, 360),
    st.sampled_from(LoanPurpose),
    st.lists(st.sampled_from(Guarantee), min_size=1, unique=True).map(tuple),
    st.from_regex(r"[0-9]{6}", fullmatch=True),
    st.sampled_from("ABCDEFGHIJKLMNOPQRST"),
    st.integers(0, 1200),
    st.integers(1, 5),
    st.integers(0, 4_000_000_000),
)
choices = st.lists(
    st.builds(Choice, st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).map(parse_bank_id), st.just("0" * 64)),
    min_size=1, max_size=5, unique_by=lambda c: c.bank,
).map(tuple)  # fmt: skip
ids = st.text("0123456789abcdef", min_size=32, max_size=32)


@st.composite
def documents(draw: st.DrawFn) -> DemandDocument:
    action = draw(st.sampled_from(DemandAction))
    members: dict[DemandAction, dict[str, st.SearchStrategy[Any]]] = {
        DemandAction.POST: {"terms": demand_terms},
        DemandAction.CHANGE: {"demand": ids, "version": st.integers(1, 9), "terms": demand_terms},
        DemandAction.WITHDRAW: {"demand": ids},
        DemandAction.CHOOSE: {"demand": ids, "choices": choices},
        DemandAction.ACCEPT: {"demand": ids, "version": st.integers(1, 9), "offer": ids},
        DemandAction.READ: {"demand": st.none() | ids},
    }
    return DemandDocument(STAMP, USCC, action, **{name: draw(value) for name, value in members[action].items()})


# --- Cost -----------------------------------------------------------------------------------------------------------


def test_the_textbook_loan() -> None:
    """100,000 yuan over 12 months at 6 %: the figures any bank's calculator shows."""
    level = loan(100_000 * YUAN, 600, 12, Repayment.EQUAL_INSTALMENTS)
    assert {entry.total_fen for entry in schedule(level)[:-1]} == {860_665}
    assert abs(cost_of(level).interest_fen - 327_972) <= 12
    principal = loan(100_000 * YUAN, 600, 12, Repayment.EQUAL_PRINCIPAL)
    assert cost_of(principal).interest_fen == 325_000
    assert cost_of(loan(100_000 * YUAN, 600, 12, Repayment.INTEREST_MONTHLY)).interest_fen == 600_000
    assert cost_of(loan(100_000 * YUAN, 600, 12, Repayment.BULLET)).interest_fen == 600_000


def test_an_early_fee_costs_more_than_its_share() -> None:
    cost = cost_of(loan(100_000 * YUAN, 600, 12, Repayment.EQUAL_INSTALMENTS, 1_000 * YUAN))
    assert cost.total_fen == cost.interest_fen + 100_000
    assert cost.annualised_bp == 789


@given(offers)
@settings(deadline=None, max_examples=150)
def test_every_fen_is_repaid_once(terms: OfferTerms) -> None:
    entries = schedule(terms)
    assert [entry.month for entry in entries] == list(range(1, terms.months + 1))
    assert sum(entry.principal_fen for entry in entries) == terms.amount_fen
    assert all(entry.principal_fen >= 0 and entry.interest_fen >= 0 for entry in entries)
    if terms.repayment is Repayment.EQUAL_INSTALMENTS:
        assert len({entry.total_fen for entry in entries[:-1]}) <= 1
        assert entries[-1].total_fen <= entries[0].total_fen + terms.months


@given(offers)
@settings(deadline=None, max_examples=60)
def test_the_yearly_cost_is_where_both_sides_balance(terms: OfferTerms) -> None:
    """Held against a computation in decimals that shares no code with it."""
    getcontext().prec = 60
    flows = [entry.total_fen for entry in schedule(terms)]

    def worth(rate: int) -> Decimal:
        growth = 1 + Decimal(rate) / 120_000
        return sum((Decimal(flow) / growth**month for month, flow in enumerate(flows, 1)), Decimal(0))

    found = cost_of(terms).annualised_bp
    received = terms.amount_fen - terms.fee_fen
    slack = Decimal("1e-20")
    assert found == 1_000_000 or worth(found) <= received + slack
    assert found == 0 or worth(found - 1) > received - slack


# --- Documents ------------------------------------------------------------------------------------------------------


@given(documents())
@settings(deadline=None, max_examples=80)
def test_what_is_signed_is_what_is_read(document: DemandDocument) -> None:
    raw = document.sign(KEY)
    assert parse_demand_document(KEY.public.verify(raw, DEMAND_TYPE)) == document
    assert len(demand_id(raw)) == 32


@given(document=documents(), data=st.data())
@settings(deadline=None, max_examples=150)
def test_a_missing_extra_or_odd_member_is_refused_by_type(document: DemandDocument, data: st.DataObject) -> None:
    claims = KEY.public.verify(document.sign(KEY), DEMAND_TYPE).members
    with pytest.raises(DocumentMalformed):
        parse_demand_document(Claims({**claims, "only_on_sundays": True}))
    name = data.draw(st.sampled_from(sorted(claims)))
    odd: Any = data.draw(st.sampled_from([None, True, -1, 1.5, "", "x" * 5000, [], [1], {}, {"a": 1}, [{}], ...]))
    changed = {**claims, name: odd} if odd is not ... else {n: v for n, v in claims.items() if n != name}
    try:
        parsed = parse_demand_document(Claims(changed))
    except DocumentError:
        return
    assert parsed == document or (document.action is DemandAction.READ and name == "demand")


@pytest.mark.parametrize(
    ("action", "members"),
    [
        (DemandAction.POST, {"demand": "0" * 32}),
        (DemandAction.WITHDRAW, {}),
        (DemandAction.ACCEPT, {"demand": "0" * 32, "offer": "0" * 32}),
        (DemandAction.WITHDRAW, {"demand": "0" * 32, "offer": "0" * 32}),
        (DemandAction.CHOOSE, {"demand": "0" * 32, "choices": (Choice(parse_bank_id("a"), "0"),) * 2}),
    ],
)
def test_an_action_names_what_it_needs_and_nothing_else(action: DemandAction, members: dict[str, Any]) -> None:
    raw = DemandDocument(STAMP, USCC, action, **members).sign(KEY)
    with pytest.raises(DocumentMalformed):
        parse_demand_document(KEY.public.verify(raw, DEMAND_TYPE))


def test_an_enterprise_speaks_for_itself_alone() -> None:
    claims = KEY.public.verify(DemandDocument(STAMP, USCC, DemandAction.READ).sign(KEY), DEMAND_TYPE).members
    with pytest.raises(DocumentMalformed, match="same enterprise"):
        parse_demand_document(Claims({**claims, "iss": "91440300192317458F"}))


# --- Bounds ---------------------------------------------------------------------------------------------------------

PRODUCT = ProductTerms(
    "贷", "Loan", 100, 200, 3, 12, 300, 500, (Repayment.BULLET,), Guarantee.CREDIT, 1000, NOW, ("32", "320703"), ("C",),
    (LoanPurpose.RESEARCH,), 12,
)  # fmt: skip


def test_a_product_reads_as_it_was_written() -> None:
    assert parse_product_terms(Claims(PRODUCT.claims())) == PRODUCT


@pytest.mark.parametrize(
    "changes",
    [
        {"amount_least_fen": 201},
        {"months_most": 2},
        {"rate_least_bp": 501},
        {"rate_most_bp": 3601},
        {"regions": ["3"]},
        {"regions": ["32070x"]},
        {"industries": ["U"]},
        {"purposes": ["yacht"]},
        {"guarantee": "word of honour"},
        {"repayments": []},
        {"quota_fen": -1},
        {"extra": 1},
    ],
)
def test_a_product_out_of_bounds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(DocumentMalformed):
        parse_product_terms(Claims({**PRODUCT.claims(), **changes}))


def test_demands_and_offers_out_of_bounds_are_refused() -> None:
    offer = loan(1000, 300, 12, Repayment.BULLET).claims()
    assert parse_offer_terms(Claims(offer)).amount_fen == 1000
    unfit: tuple[dict[str, Any], ...] = (
        {"fee_fen": 1000},
        {"months": 361},
        {"annual_rate_bp": -1},
        {"repayment": "never"},
    )
    for wrong in unfit:
        with pytest.raises(DocumentMalformed):
            parse_offer_terms(Claims({**offer, **wrong}))
    guarantees = (Guarantee.CREDIT,)
    demand = DemandTerms(1000, 12, LoanPurpose.OTHER, guarantees, "320703", "C", 0, 5, NOW).claims()
    assert parse_demand_terms(Claims(demand)).places == 5
    beyond: tuple[dict[str, Any], ...] = (
        {"places": 6},
        {"region": "3207"},
        {"industry": "CD"},
        {"guarantees": []},
        {"purpose": ""},
    )
    for wrong in beyond:
        with pytest.raises(DocumentMalformed):
            parse_demand_terms(Claims({**demand, **wrong}))
    with pytest.raises(DocumentMalformed):
        parse_decline_reason("mood")
