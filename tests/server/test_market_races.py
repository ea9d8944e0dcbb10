"""Whoever comes first wins, and exactly one does: on SQLite and on PostgreSQL, many times over, from several threads.

The long campaign (XYD_CAMPAIGN=long) takes each race and each sequence of operations many times further.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from sqlmodel import select
from xinyidai.market import DeclineReason

from server.db import Database, migrate
from server.market.errors import MarketRefused
from server.market.feed import read_news
from server.market.models import Feed
from server.market.offers import decline, fulfil, withdraw_offer
from tests.support.market import DAY, START, WAN, Market, bank

LONG = os.environ.get("XYD_CAMPAIGN") == "long"
ROUNDS = 100 if LONG else 6


@pytest.fixture
def market(database: Database) -> Market:
    return Market(database)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def race(threads: ThreadPoolExecutor, *runners: Callable[[], object]) -> list[bool]:
    """All at once; who was let through. Anything but a refusal of the market is an error."""
    barrier = threading.Barrier(len(runners))

    def run(work: Callable[[], object]) -> bool:
        barrier.wait()
        try:
            work()
        except MarketRefused:
            return False
        return True

    return list(threads.map(run, runners))


def test_of_banks_that_grab_one_demand_one_gets_it(market: Market, threads: ThreadPoolExecutor) -> None:
    for number in range(4):
        market.publish(number)
    for _ in range(ROUNDS):
        demand = market.post()
        won = race(threads, *(partial(market.grab, number, demand) for number in range(4)))
        assert sum(won) == 1
        assert list(market.places(demand).values()).count("held") == 1
        market.check()


def test_as_many_banks_get_in_as_there_are_places(market: Market, threads: ThreadPoolExecutor) -> None:
    for number in range(4):
        market.publish(number)
    for _ in range(ROUNDS):
        demand = market.post(places=3)
        assert sum(race(threads, *(partial(market.grab, number, demand) for number in range(4)))) == 3
        market.check()


def test_at_the_edge_of_the_quota_one_acceptance_holds(market: Market, threads: ThreadPoolExecutor) -> None:
    for number in range(ROUNDS):
        market.publish(number, quota_fen=150 * WAN)
        demands = [market.post(enterprise) for enterprise in range(4)]
        offers = []
        for demand in demands:
            market.grab(number, demand)
            offers.append(market.offer(number, demand).offer_id)
        accepts: list[Callable[[], object]] = [
            partial(market.accept, d, o, enterprise=e) for e, (d, o) in enumerate(zip(demands, offers, strict=True))
        ]
        assert sum(race(threads, *accepts)) == 1
        assert sorted(map(market.state, demands)) == ["accepted", "offered", "offered", "offered"]
        market.check()
        for enterprise, demand in enumerate(demands):
            market.withdraw(demand, enterprise)


def test_a_demand_that_expires_while_it_is_accepted_does_one_of_both(
    market: Market, threads: ThreadPoolExecutor
) -> None:
    market.publish(1)
    late = Market(market.database, market.rules, START + 30 * DAY)
    for _ in range(ROUNDS):
        demand = market.post()
        market.grab(1, demand)
        offer = market.offer(1, demand, valid_until=START + 40 * DAY).offer_id
        accepted, _ = race(threads, partial(market.accept, demand, offer), late.sweep)
        assert market.state(demand) == ("accepted" if accepted else "expired")
        market.check()


def test_one_of_two_offers_wins_however_often_both_are_accepted(market: Market, threads: ThreadPoolExecutor) -> None:
    for number in (1, 2):
        market.publish(number)
    for _ in range(ROUNDS):
        demand = market.post(places=2)
        offers = []
        for number in (1, 2):
            market.grab(number, demand)
            offers.append(market.offer(number, demand).offer_id)
        accepts: list[Callable[[], object]] = [partial(market.accept, demand, offer) for offer in offers * 2]
        assert sum(race(threads, *accepts)) == 1
        market.check()


def test_an_offer_sent_from_everywhere_at_once_is_one_offer(market: Market, threads: ThreadPoolExecutor) -> None:
    market.publish(1)
    for _ in range(ROUNDS):
        demand = market.post()
        market.grab(1, demand)
        assert all(race(threads, *[partial(market.offer, 1, demand)] * 4))
        assert len(market.offers(demand)) == 1


def test_notices_are_numbered_without_gaps_in_the_order_they_appear(
    market: Market, threads: ThreadPoolExecutor
) -> None:
    """A reader that resumes behind the last number it saw misses nothing, whoever wrote meanwhile."""
    for number in (1, 2):
        market.publish(number)
    seen: list[int] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with market.database.reading() as session:
                seen.extend(entry.number for entry in read_news(session, bank(1), len(seen), 100))

    reader = threading.Thread(target=read)
    reader.start()
    list(threads.map(lambda number: Market(market.database, made=1000 * number).post(number), range(8 * ROUNDS)))
    done.set()
    reader.join()
    with market.database.reading() as session:
        seen.extend(entry.number for entry in read_news(session, bank(1), len(seen), 1000))
        assert {feed.last for feed in session.exec(select(Feed))} == {8 * ROUNDS}
    assert seen == list(range(1, 8 * ROUNDS + 1))


BANKS = 3


class AnySequence(RuleBasedStateMachine):
    """Whatever the parties do, in whatever order, with crashes in between: no demand is in an undefined state."""

    demands = Bundle("demands")
    offers = Bundle("offers")

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory(prefix="xyd-market-")
        url = f"sqlite:///{Path(self._folder.name) / 'server.sqlite'}"
        migrate(url)
        self._market = Market(Database(url))

    @initialize()
    def begin(self) -> None:
        for number in range(BANKS):
            self._market.publish(number, quota_fen=250 * WAN, valid_until=START + (number + 1) * DAY)

    def _try(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except MarketRefused:
            return None

    @rule(target=demands, enterprise=st.integers(0, 2), places=st.integers(1, 3), days=st.integers(1, 3))
    def post(self, enterprise: int, places: int, days: int) -> tuple[str, int]:
        expires = self._market.now + days * DAY
        return self._market.post(enterprise, places=places, expires_at=expires), enterprise

    @rule(demand=demands, version=st.integers(1, 3), amount=st.integers(1, 200))
    def change(self, demand: tuple[str, int], version: int, amount: int) -> None:
        expires = self._market.now + DAY
        terms = {"amount_fen": amount * WAN, "expires_at": expires, "places": 2}
        self._try(lambda: self._market.change(demand[0], version, demand[1], **terms))

    @rule(demand=demands, number=st.integers(0, BANKS - 1))
    def grab(self, demand: tuple[str, int], number: int) -> None:
        self._try(lambda: self._market.grab(number, demand[0]))

    @rule(demand=demands, numbers=st.sets(st.integers(0, BANKS - 1), min_size=1))
    def choose(self, demand: tuple[str, int], numbers: set[int]) -> None:
        choices = [self._market.authorize(demand[0], number, demand[1]) for number in numbers]
        self._try(lambda: self._market.choose(demand[0], *choices, enterprise=demand[1]))

    @rule(target=offers, demand=demands, number=st.integers(0, BANKS - 1), hours=st.integers(1, 48))
    def offer(self, demand: tuple[str, int], number: int, hours: int) -> Any:
        """A bank first looks at the demand, as banks do."""
        version = self._market.demand(demand[0]).version
        amount = min(100 * WAN, self._market.demand(demand[0]).amount_fen)
        until = self._market.now + hours * 3600
        made = self._try(
            lambda: self._market.offer(number, demand[0], version=version, amount_fen=amount, valid_until=until)
        )
        return (made.offer_id, version, number, *demand) if made else multiple()

    @rule(demand=demands, number=st.integers(0, BANKS - 1))
    def decline(self, demand: tuple[str, int], number: int) -> None:
        def work() -> None:
            with self._market.database.transaction("decline") as session:
                decline(session, bank(number), demand[0], DeclineReason.POLICY, self._market.now)

        self._try(work)

    @rule(offer=offers)
    def accept(self, offer: tuple[str, int, int, str, int]) -> None:
        self._try(lambda: self._market.accept(offer[3], offer[0], version=offer[1], enterprise=offer[4]))

    @rule(offer=offers)
    def crash_while_declining(self, offer: tuple[str, int, int, str, int]) -> None:
        """The power fails before the commit."""
        before = self._market.state(offer[3])
        try:
            with self._market.database.transaction("crash") as session:
                decline(session, bank(offer[2]), offer[3], DeclineReason.POLICY, self._market.now)
                raise InterruptedError
        except (InterruptedError, MarketRefused):
            assert self._market.state(offer[3]) == before

    @rule(offer=consumes(offers))
    def withdraw_offer(self, offer: tuple[str, int, int, str, int]) -> None:
        def work() -> None:
            with self._market.database.transaction("withdraw offer") as session:
                withdraw_offer(session, bank(offer[2]), offer[0], self._market.now)

        self._try(work)

    @rule(demand=demands, number=st.integers(0, BANKS - 1))
    def fulfil(self, demand: tuple[str, int], number: int) -> None:
        def work() -> None:
            with self._market.database.transaction("fulfil") as session:
                fulfil(session, bank(number), demand[0], self._market.now)

        self._try(work)

    @rule(demand=demands)
    def withdraw(self, demand: tuple[str, int]) -> None:
        self._try(lambda: self._market.withdraw(*demand))

    @rule(seconds=st.sampled_from([1, 61, 601, 7200, DAY]))
    def time_passes(self, seconds: int) -> None:
        self._market.now += seconds
        self._market.sweep()

    @invariant()
    def defined(self) -> None:
        self._market.check()

    def teardown(self) -> None:
        self._market.now += 10 * DAY
        self._market.sweep()
        self._market.check()
        self._market.database.close()
        self._folder.cleanup()


AnySequence.TestCase.settings = settings(
    deadline=None,
    max_examples=200 if LONG else 8,
    stateful_step_count=50 if LONG else 25,
    suppress_health_check=list(HealthCheck),
)
TestAnySequence = AnySequence.TestCase
