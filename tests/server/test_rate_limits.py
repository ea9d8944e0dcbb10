"""Limits on how often: the bucket itself, and what a caller of the real server meets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.accounts.errors import RateLimited
from server.accounts.limits import RateLimiter
from tests.server.test_rest_edge import assert_problem
from tests.support.platform import PlatformUnderTest
from tests.support.portal import PortalClient


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(per_minute=st.integers(1, 50), waits=st.lists(st.floats(0, 30), max_size=200))
def test_no_span_of_time_lets_more_through_than_the_bucket_and_what_filled_it(
    per_minute: int, waits: list[float]
) -> None:
    clock = Clock()
    limiter = RateLimiter(per_minute, clock)
    passed = 0
    for wait in waits:
        clock.now += wait
        try:
            limiter.take("a")
        except RateLimited as limited:
            # Whoever waits as long as it says gets through.
            clock.now += limited.retry_after
            limiter.take("a")
        passed += 1
    assert passed <= per_minute + clock.now * per_minute / 60 + 1e-6


def test_each_key_has_its_own_bucket_and_none_means_no_limit() -> None:
    limiter = RateLimiter(1, Clock())
    limiter.take("a")
    limiter.take("b")
    with pytest.raises(RateLimited):
        limiter.take("a")
    unlimited = RateLimiter(0, Clock())
    for _ in range(1000):
        unlimited.take("a")


def test_an_address_that_signs_in_too_often_is_told_when_to_come_back(platform: PlatformUnderTest) -> None:
    portal = PortalClient(platform.bare.deployment, platform.rest_url)
    answers = [portal.api("/challenge") for _ in range(40)]
    limited = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:30]] == [200] * 30 and limited
    assert_problem(limited[0], 429, "RATE_LIMITED")
    assert 1 <= int(limited[0].headers["retry-after"]) <= 60
    # What signs nobody in goes on.
    assert portal.http.get("/v1/banks").status_code == 200
    portal.close()
