"""The financing market's rules, on SQLite and on a real PostgreSQL alike."""

import pytest
from xinyidai.market import DeclineReason
from xinyidai.signing import DocumentMalformed

from server.banks.service import Registration, register_bank, remove_bank
from server.db import Database
from server.errors import RequestInvalid
from server.market.errors import (
    CriteriaNotMet,
    DemandClosed,
    DemandFull,
    DemandUnknown,
    GrantUnfit,
    OfferClosed,
    OfferExists,
    OfferUnknown,
    ProductChanged,
    ProductUnknown,
    QuotaExhausted,
)
from server.market.feed import read_news
from server.market.models import Place
from server.market.offers import decline, fulfil, withdraw_offer
from server.market.products import withdraw_product
from server.market.views import bank_view, bank_views, enterprise_view
from server.paging import Page
from tests.support.market import DAY, DEMAND, START, WAN, Market, bank
from tests.support.parties import uscc_number


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database)


def notices(market: Market, number: int) -> list[str]:
    with market.database.reading() as session:
        news = read_news(session, bank(number), 0, 100)
    assert [entry.number for entry in news] == list(range(1, len(news) + 1))
    return [entry.kind for entry in news]


def decline_for(market: Market, number: int, demand: str, reason: DeclineReason = DeclineReason.POLICY) -> None:
    with market.database.transaction("decline") as session:
        decline(session, bank(number), demand, reason, market.now)


def test_from_a_demand_to_a_loan(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    assert market.state(demand) == "matching"
    market.grab(1, demand)
    assert market.state(demand) == "assigned"
    offer = market.offer(1, demand)
    assert market.state(demand) == "offered"
    market.accept(demand, offer.offer_id)
    assert (market.state(demand), market.places(demand)) == ("accepted", {"bank-1": "won"})
    with market.database.transaction("fulfil") as session:
        fulfil(session, bank(1), demand, market.now)
        fulfil(session, bank(1), demand, market.now)
    assert market.state(demand) == "fulfilled"
    assert market.quota_used() == {"bank-1": 100 * WAN}
    assert notices(market, 1) == ["matched", "accepted"]
    market.check()


def test_a_demand_without_a_product_waits_for_one(market: Market) -> None:
    demand = market.post()
    assert market.state(demand) == "posted"
    market.publish(1, months_most=6)
    market.sweep()
    assert market.state(demand) == "posted"
    market.republish(1, 1)
    market.sweep()
    assert (market.state(demand), notices(market, 1)) == ("matching", ["matched"])


def test_the_enterprise_chooses_banks_and_gives_each_its_authorization(market: Market) -> None:
    for number in (1, 2, 3):
        market.publish(number)
    demand = market.post(places=2)
    choices = [market.authorize(demand, number) for number in (1, 2)]
    market.choose(demand, *choices)
    assert market.places(demand) == {"bank-1": "held", "bank-2": "held", "bank-3": "open"}
    assert notices(market, 1) == ["matched", "held", "authorized"]
    with pytest.raises(DemandFull):
        market.choose(demand, market.authorize(demand, 3))
    with pytest.raises(DemandFull):
        market.grab(3, demand)
    with market.database.reading() as session:
        assert bank_view(session, "bank-1", demand).enterprise == uscc_number(1)
        assert bank_view(session, "bank-3", demand).enterprise == "", "browsing does not tell who wants money"


def test_of_k_banks_all_or_none_are_chosen(market: Market) -> None:
    market.publish(1)
    market.publish(2, months_most=6)
    demand = market.post(places=2)
    with pytest.raises(DemandClosed, match="bank-2"):
        market.choose(demand, market.authorize(demand, 1), market.authorize(demand, 2))
    assert (market.state(demand), market.places(demand)) == ("matching", {"bank-1": "open"})


def test_an_authorization_for_something_else_gives_no_place(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    for choice in (
        market.authorize(None, 1),
        market.authorize("another", 1),
        market.authorize(demand, 1, enterprise=2),
        market.authorize(demand, 2),
    ):
        with pytest.raises((GrantUnfit, DemandClosed)):
            market.choose(demand, choice)
    assert market.state(demand) == "matching"


def test_a_bank_that_takes_too_long_loses_its_place_to_the_next_best(market: Market) -> None:
    market.publish(1, rate_most_bp=500)
    market.publish(2)
    demand = market.post()
    assert market.sweep() >= 0 and market.state(demand) == "matching"
    market.now += 61
    market.sweep()
    assert market.places(demand) == {"bank-1": "held", "bank-2": "open"}, "nobody grabbed: the best fit is assigned"
    market.now += 600
    with pytest.raises(DemandClosed):
        market.offer(1, demand)
    market.sweep()
    assert market.places(demand) == {"bank-1": "lapsed", "bank-2": "held"}
    market.now += 600
    market.sweep()
    assert market.state(demand) == "declined", "nobody is left"
    assert notices(market, 1) == ["matched", "held", "ended"]


def test_declining_passes_the_demand_on_and_says_why(market: Market) -> None:
    market.publish(1)
    market.publish(2)
    demand = market.post()
    market.grab(1, demand)
    for _ in range(2):
        decline_for(market, 1, demand, DeclineReason.EXISTING_EXPOSURE)
    assert market.state(demand) == "matching"
    decline_for(market, 2, demand)
    assert market.state(demand) == "declined"
    assert {c.bank: c.decline_reason for c in market.candidates(demand)} == {
        "bank-1": "existing_exposure",
        "bank-2": "policy",
    }
    market.change(demand, 1, amount_fen=50 * WAN)
    assert (market.state(demand), market.demand(demand).version) == ("matching", 2)


def test_a_change_needs_the_version_it_replaces_and_nobody_at_work(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    market.change(demand, 1, months=24)
    with pytest.raises(DemandClosed):
        market.change(demand, 1, months=24)
    with pytest.raises(DemandClosed):
        market.change(demand, 2, enterprise=2)
    market.grab(1, demand)
    with pytest.raises(DemandClosed):
        market.change(demand, 2)
    with pytest.raises(CriteriaNotMet):
        market.offer(1, demand, version=2, months=48)
    assert market.offer(1, demand, version=2).demand_version == 2


def test_an_offer_is_made_once_however_often_it_is_sent(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    market.grab(1, demand)
    market.grab(1, demand)
    first = market.offer(1, demand)
    again = market.offer(1, demand, annual_rate_bp=500)
    assert (again.offer_id, again.annual_rate_bp) == (first.offer_id, 420)
    with pytest.raises(OfferExists):
        market.offer(1, demand, key="another")
    with market.database.transaction("withdraw") as session:
        withdraw_offer(session, bank(1), first.offer_id, market.now)
        withdraw_offer(session, bank(1), first.offer_id, market.now)
    assert (market.state(demand), market.offer(1, demand).state) == ("declined", "withdrawn")
    market.check()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"amount_fen": 600 * WAN}, CriteriaNotMet),
        ({"amount_fen": 200 * WAN}, CriteriaNotMet),
        ({"annual_rate_bp": 601}, CriteriaNotMet),
        ({"months": 37}, CriteriaNotMet),
        ({"valid_until": START}, RequestInvalid),
        ({"key": ""}, RequestInvalid),
    ],
)
def test_an_offer_stays_within_its_product_and_the_demand(
    market: Market, changes: dict[str, int], error: type[Exception]
) -> None:
    market.publish(1)
    demand = market.post()
    market.grab(1, demand)
    with pytest.raises(error):
        market.offer(1, demand, **changes)  # type: ignore[arg-type]
    assert market.state(demand) == "assigned"


def test_a_demand_keeps_the_version_of_the_product_it_saw(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    market.republish(1, 1, rate_most_bp=400)
    with pytest.raises(ProductChanged):
        market.republish(1, 1, rate_most_bp=450)
    market.sweep()
    market.grab(1, demand)
    offer = market.offer(1, demand, annual_rate_bp=500)
    assert (offer.product_version, market.candidates(demand)[0].product_version) == (1, 1)
    later = market.post(2)
    assert market.candidates(later)[0].product_version == 2


def test_a_withdrawn_product_matches_nothing_any_more(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    with market.database.transaction("withdraw") as session:
        withdraw_product(session, bank(1), "bank-1:credit", market.now)
        with pytest.raises(ProductUnknown):
            withdraw_product(session, bank(2), "bank-1:credit", market.now)
    market.sweep()
    assert (market.state(demand), notices(market, 1)) == ("posted", ["matched", "ended"])


def test_a_removed_bank_is_matched_with_nothing(market: Market) -> None:
    for number in (1, 2):
        market.publish(number)
        with market.database.transaction("register") as session:
            register_bank(session, Registration(bank(number), "银行", "Bank", str(number) * 43), market.now)
    with market.database.transaction("remove") as session:
        remove_bank(session, bank(1))
    assert market.places(market.post()) == {"bank-2": "open"}


def test_only_the_offers_of_this_demand_and_only_by_its_enterprise_are_accepted(market: Market) -> None:
    market.publish(1)
    demand, other = market.post(1), market.post(1)
    for each in (demand, other):
        market.grab(1, each)
    offer, foreign = market.offer(1, demand), market.offer(1, other)
    with pytest.raises(OfferUnknown):
        market.accept(demand, foreign.offer_id)
    with pytest.raises(DemandClosed):
        market.accept(demand, offer.offer_id, enterprise=2)
    with pytest.raises(DemandClosed):
        market.accept(demand, offer.offer_id, version=2)
    with pytest.raises(DemandUnknown):
        market.accept("0" * 32, offer.offer_id)
    market.accept(demand, offer.offer_id)
    with pytest.raises(DemandClosed):
        market.accept(demand, offer.offer_id)
    market.check()


def test_an_accepted_offer_closes_the_others_and_a_withdrawal_returns_the_quota(market: Market) -> None:
    for number in (1, 2):
        market.publish(number)
    demand = market.post(places=2)
    for number in (1, 2):
        market.grab(number, demand)
    offers = [market.offer(number, demand, annual_rate_bp=400 + number) for number in (1, 2)]
    market.accept(demand, offers[1].offer_id)
    assert {offer.bank: offer.state for offer in market.offers(demand)} == {"bank-1": "closed", "bank-2": "accepted"}
    assert (notices(market, 1)[-1], notices(market, 2)[-1]) == ("ended", "accepted")
    assert market.quota_used() == {"bank-1": 0, "bank-2": 100 * WAN}
    market.withdraw(demand)
    assert (market.state(demand), market.quota_used()) == ("withdrawn", {"bank-1": 0, "bank-2": 0})
    market.check()


def test_the_quota_is_enough_for_one(market: Market) -> None:
    market.publish(1, quota_fen=150 * WAN)
    first, second = market.post(1), market.post(2)
    for demand in (first, second):
        market.grab(1, demand)
    offers = [market.offer(1, demand) for demand in (first, second)]
    market.accept(first, offers[0].offer_id)
    with pytest.raises(QuotaExhausted):
        market.accept(second, offers[1].offer_id, enterprise=2)
    assert market.state(second) == "offered", "a refused acceptance changes nothing"
    market.check()


def test_offers_and_demands_end_in_their_time(market: Market) -> None:
    market.publish(1)
    demand = market.post()
    market.grab(1, demand)
    offer = market.offer(1, demand, valid_until=START + 100)
    market.now = START + 100
    with pytest.raises(OfferClosed):
        market.accept(demand, offer.offer_id)
    market.sweep()
    assert (market.state(demand), market.places(demand)) == ("declined", {"bank-1": "lapsed"})
    market.now = START + 30 * DAY
    market.sweep()
    assert (market.state(demand), market.demand(demand).ended_at) == ("expired", market.now)
    assert market.sweep() == 0
    market.check()


def test_offers_stand_side_by_side_cheapest_first_with_fees(market: Market) -> None:
    for number in (1, 2):
        market.publish(number)
    demand = market.post(places=2)
    for number in (1, 2):
        market.grab(number, demand)
    market.offer(1, demand, annual_rate_bp=400, fee_fen=2 * WAN)
    market.offer(2, demand, annual_rate_bp=450)
    with market.database.reading() as session:
        view = enterprise_view(session, uscc_number(1), demand)
        with pytest.raises(DemandUnknown):
            enterprise_view(session, uscc_number(2), demand)
    assert [c.offer.bank for c in view.offers] == ["bank-2", "bank-1"], "the lower rate is dearer with its fee"
    assert view.offers[0].cost.annualised_bp == 450 < view.offers[1].cost.annualised_bp


def test_a_bank_lists_its_demands_page_by_page(market: Market) -> None:
    market.publish(1)
    posted = [market.post(number) for number in range(5)]
    market.grab(1, posted[0])
    seen, page = [], Page(2, None)
    while True:
        with market.database.reading() as session:
            views, following = bank_views(session, bank(1), (), page)
        seen += [view.demand.demand_id for view in views]
        if following is None:
            break
        page = Page(2, following)
    assert sorted(seen) == sorted(posted)
    with market.database.reading() as session:
        held, _ = bank_views(session, bank(1), (Place.HELD,), Page(10, None))
        assert [view.demand.demand_id for view in held] == [posted[0]]
        assert bank_views(session, bank(2), (), Page(10, None)) == ([], None)


def test_nonsense_is_refused(market: Market) -> None:
    with pytest.raises(RequestInvalid):
        market.post(expires_at=START)
    with pytest.raises(RequestInvalid):
        market.publish(1, valid_until=START)
    with pytest.raises((DemandUnknown, DocumentMalformed)):
        market.grab(1, "nothing")
    assert DEMAND.places == 1
