"""Deadlines of objections: by China's calendar, from a table of places that says where each rule comes from."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xinyidai.disputes import stage

from enclave.authority.deadlines import Period, deadline_rule, is_working_day, read_rules

CHINA = timezone(timedelta(hours=8))


def at(text: str) -> int:
    """China's time to seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=CHINA).timestamp())


def day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone(CHINA).isoformat()


def test_holidays_do_not_count_and_the_weekends_worked_for_them_do() -> None:
    # National Day 2025: 1 to 8 October are free; 28 September and 11 October, a Sunday and a Saturday, are worked.
    opened = at("2025-09-26T15:00")
    assert day(Period.parse("2wd").end(opened, is_working_day)) == "2025-09-29T23:59:59+08:00"
    assert day(Period.parse("4wd").end(opened, is_working_day)) == "2025-10-09T23:59:59+08:00"
    assert day(Period.parse("6wd").end(opened, is_working_day)) == "2025-10-11T23:59:59+08:00"
    assert day(Period.parse("20d").end(opened, is_working_day)) == "2025-10-16T23:59:59+08:00"


def test_the_day_is_chinas_and_not_that_of_greenwich() -> None:
    late = at("2025-06-09T23:30")
    assert day(Period.parse("1wd").end(late, is_working_day)) == "2025-06-10T23:59:59+08:00"


def test_a_year_nobody_has_announced_yet_has_plain_weeks() -> None:
    opened = at("2093-01-02T10:00")
    assert day(Period.parse("1wd").end(opened, is_working_day)) == "2093-01-05T23:59:59+08:00"


def test_lianyungang_is_configured_and_says_so() -> None:
    rule = deadline_rule("lianyungang")
    opened = at("2025-06-09T10:00")
    assert not rule.verified and "configured" in rule.source
    assert day(rule.decide_by(opened, None)) == "2025-06-18T23:59:59+08:00"
    assert day(rule.decide_by(opened, at("2025-06-09T11:00"))) == "2025-06-16T23:59:59+08:00"
    assert day(rule.cap_at(opened)) == "2025-06-29T23:59:59+08:00"


def test_an_unknown_place_and_a_broken_table_are_refused() -> None:
    with pytest.raises(ValueError, match="no rule of deadlines atlantis"):
        deadline_rule("atlantis")
    with pytest.raises(ValueError, match="broken"):
        read_rules('[broken]\ntransfer = "soon"\n')


@pytest.mark.parametrize(
    "code", ["lianyungang", "shenzhen", "shanghai", "zhejiang", "taizhou", "shandong", "henan", "pboc"]
)
@settings(deadline=None)
@given(opened=st.integers(1_700_000_000, 1_900_000_000), waited=st.integers(0, 100 * 86_400))
def test_the_cap_is_last_of_all(code: str, opened: int, waited: int) -> None:
    rule = deadline_rule(code)
    for transferred in (None, opened + waited):
        decide_by, cap_at = rule.decide_by(opened, transferred), rule.cap_at(opened)
        assert decide_by <= cap_at and opened < cap_at
        assert stage("marked", cap_at + 1, decide_by, cap_at) == "unverified"
        assert stage("decided", cap_at + 1, decide_by, cap_at) == "decided"
        assert stage("transferred", opened, decide_by + 0, cap_at) in ("transferred", "escalated")
