"""The races of the market between processes of the operating system, as several servers over one database are: exactly
one winner, on SQLite and on PostgreSQL."""

import os

from server.db import Database
from tests.support.market import DAY, START, WAN, Market, bank
from tests.support.racer import Racers

ROUNDS = 50 if os.environ.get("XYD_CAMPAIGN") == "long" else 5


def test_between_processes_one_wins(database: Database, empty_url: str) -> None:
    market = Market(database)
    for number in (1, 2):
        market.publish(number)
    with Racers(empty_url, 2) as racers:
        for _ in range(ROUNDS):
            two_banks_grab_one_demand(market, racers)
            one_quota_for_two_acceptances(market, racers)
            one_offer_or_the_other(market, racers)
            accepted_or_expired(market, racers)
    market.check()


def two_banks_grab_one_demand(market: Market, racers: Racers) -> None:
    demand = market.post()
    assert sum(racers.race(market.now, ("grab", None, 1, demand), ("grab", None, 2, demand))) == 1
    assert {market.places(demand)[bank(number)] for number in (1, 2)} == {"held", "open"}
    market.withdraw(demand)


def one_quota_for_two_acceptances(market: Market, racers: Racers) -> None:
    """The quota covers one and a half loans; the rest of it is out of play."""
    number = 100 + market.made
    market.publish(number, quota_fen=150 * WAN)
    demands = [market.post(enterprise) for enterprise in (1, 2)]
    offers = []
    for demand in demands:
        market.grab(number, demand)
        offers.append(market.offer(number, demand).offer_id)
    accepts = [("accept", None, d, o, e) for d, o, e in zip(demands, offers, (1, 2), strict=True)]
    assert sum(racers.race(market.now, *accepts)) == 1
    assert sorted(map(market.state, demands)) == ["accepted", "offered"]
    market.check()
    for enterprise, demand in enumerate(demands, start=1):
        market.withdraw(demand, enterprise)


def one_offer_or_the_other(market: Market, racers: Racers) -> None:
    demand = market.post(places=2)
    offers = []
    for number in (1, 2):
        market.grab(number, demand)
        offers.append(market.offer(number, demand).offer_id)
    assert sum(racers.race(market.now, *(("accept", None, demand, offer, 1) for offer in offers))) == 1
    assert market.state(demand) == "accepted"
    market.withdraw(demand)


def accepted_or_expired(market: Market, racers: Racers) -> None:
    demand = market.post(expires_at=START + DAY)
    market.grab(1, demand)
    offer = market.offer(1, demand, valid_until=START + 20 * DAY).offer_id
    accepted, _ = racers.race(market.now, ("accept", None, demand, offer, 1), ("sweep", START + DAY))
    assert market.state(demand) == ("accepted" if accepted else "expired")
    market.check()
    if accepted:
        market.withdraw(demand)
