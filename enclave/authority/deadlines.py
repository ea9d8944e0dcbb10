"""When objections have to be decided: a table of rules by place, counted in China's working days.

Public holidays and the working weekends that make up for them come from the calendar that the State Council announces
for each year, as the package chinesecalendar has it; for a year it does not know yet, working days are Monday to
Friday.
"""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import chinese_calendar

_TABLE: Final = Path(__file__).with_name("deadlines.toml")
_CHINA: Final = timezone(timedelta(hours=8))
_STEP: Final = re.compile(r"([0-9]{1,3})(wd|d)")
_SATURDAY: Final = 5
DEFAULT_RULE: Final = "lianyungang"
WorkingDay = Callable[[date], bool]


def is_working_day(day: date) -> bool:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < _SATURDAY


@dataclass(frozen=True, slots=True)
class Period:
    days: int
    working: bool

    @classmethod
    def parse(cls, text: str) -> "Period":
        """ "5wd" or "20d". Raises `ValueError`."""
        match = _STEP.fullmatch(text)
        if match is None:
            raise ValueError('a period is like "5wd" (working days) or "20d" (days)')
        return cls(int(match[1]), match[2] == "wd")

    def end(self, start: int, works: WorkingDay) -> int:
        """The last second of the last day, in China, of a period that begins on the day after `start` (seconds since
        1970-01-01 UTC)."""
        day = datetime.fromtimestamp(start, UTC).astimezone(_CHINA).date()
        left = self.days
        while left:
            day += timedelta(days=1)
            left -= not self.working or works(day)
        return int(datetime.combine(day, time(23, 59, 59), _CHINA).timestamp())


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    code: str
    zh: str
    en: str
    transfer: Period
    decide: Period
    cap: Period
    repair: Period
    verified: bool
    """False: configured, because the text of the rule was not at hand."""
    source: str

    def decide_by(self, opened_at: int, transferred_at: int | None, works: WorkingDay = is_working_day) -> int:
        """The department's deadline: counted from when it had the objection, or should have had it."""
        due = self.transfer.end(opened_at, works) if transferred_at is None else transferred_at
        return min(self.decide.end(due, works), self.cap_at(opened_at, works))

    def cap_at(self, opened_at: int, works: WorkingDay = is_working_day) -> int:
        return self.cap.end(opened_at, works)


def read_rules(raw: str) -> dict[str, DeadlineRule]:
    """By code. Raises `ValueError` that names the rule."""
    rules = {}
    for code, entry in tomllib.loads(raw).items():
        try:
            rules[code] = _rule(code, dict(entry))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"rule of deadlines {code}: {error}") from error
    return rules


def _rule(code: str, entry: dict[str, Any]) -> DeadlineRule:
    members: dict[str, Any] = {"code": code, **entry}
    for name in ("transfer", "decide", "cap", "repair"):
        members[name] = Period.parse(str(entry[name]))
    return DeadlineRule(**members)


def deadline_rule(code: str) -> DeadlineRule:
    """A rule of the table. Raises `ValueError`."""
    rules = read_rules(_TABLE.read_text())
    if code not in rules:
        raise ValueError(f"no rule of deadlines {code}; there are: {', '.join(rules)}")
    return rules[code]
