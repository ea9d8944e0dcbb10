"""Records drawn at random, crowded around the days and months at which features turn."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

from xinyidai.catalogue import Field, builtin_catalogue

from tests.support.records import Row, uscc

AMOUNTS: Final = (0.0, 0.0, 0.01, 0.5, 3.0, 10.0, 250.25, 999.99, 12_345.67, 2_000_000.0)
TEXTS: Final = ("a", "b", "c")
TURNS: Final = (0, 1, 2, 3, 11, 12, 13, 14, 23, 24, 25, 26, 35, 36, 37)
GAPS: Final = 0.12
"""Of values left out."""
MONTHLY: Final = {
    "social_insurance": "period_ym", "housing_fund": "period_ym", "electricity_usage": "period_ym",
    "customs_trade": "period_ym", "water_usage": "read_date", "gas_usage": "read_date", "tax_payment": "period_to",
}  # fmt: skip


class Drawer:
    """Draws rows of one category as a holder might send them up to some days after `as_of`."""

    def __init__(self, random: Random, category: str, as_of: date) -> None:
        self.random, self.as_of = random, as_of
        catalogue = builtin_catalogue()
        self.category = catalogue.category(category)
        self.fields = (*catalogue.common_fields, *self.category.fields)
        self.serial = 0
        self.gaps = GAPS
        self.days: dict[str, date] = {}

    def month(self, back: int) -> int:
        number = self.as_of.year * 12 + self.as_of.month - 1 - back
        return number // 12 * 100 + number % 12 + 1

    def day(self, back: int) -> date:
        """A day in the month so many months back; often its first or last."""
        ym = self.month(back)
        first = date(ym // 100, ym % 100, 1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return self.random.choice((first, last, first + timedelta(days=self.random.randrange(28))))

    def back(self) -> int:
        return self.random.choice((self.random.randrange(-1, 42), self.random.choice(TURNS)))

    def value(self, field: Field) -> Any:
        if self.random.random() < self.gaps:
            return None
        match field.type:
            case "enum":
                return self.random.choice(field.values)
            case "bool":
                return self.random.random() < 0.3
            case "str":
                return self.random.choice(TEXTS)
            case "yyyymm":
                return self.month(self.back())
            case "date":
                return self.date_of(field.name)
            case "int":
                return self.year() if field.unit == "year" or "year" in field.name else self.random.randrange(12)
            case _:
                amount = self.random.choice(AMOUNTS)
                return -amount if self.random.random() < 0.05 else amount

    def date_of(self, name: str) -> date:
        """Often that of the row before, as rows that speak of one event have."""
        if name not in self.days or self.random.random() < 0.8:
            self.days[name] = date(2099, 12, 31) if self.random.random() < 0.05 else self.day(self.back())
        return self.days[name]

    def year(self) -> int:
        return self.as_of.year - self.random.randrange(-1, 7)

    def row(self, code: str, **given: Any) -> dict[str, Any]:
        drawn = {field.name: self.value(field) for field in self.fields}
        self.serial += 1
        received = datetime.combine(self.as_of, datetime.min.time()) + timedelta(days=1, seconds=-self.serial)
        if self.random.random() < 0.03:
            received += timedelta(days=2)
        own = {"uscc": code, "source_dept": "d", "record_id": f"r{self.serial:06d}", "recv_time": received}
        return {**drawn, **own, **given}

    def run(self, code: str) -> Iterator[dict[str, Any]]:
        """A row a month for some years, as a steady firm has; a month is now and then left out. Half of the firms leave
        out no value and stay with one insurance, or what needs full years would never be met."""
        name = MONTHLY[self.category.code]
        kind = next(field.type for field in self.category.fields if field.name == name)
        thorough = self.random.random() < 0.5
        self.gaps = 0.0 if thorough else GAPS
        pension = thorough and self.category.code == "social_insurance"
        given = {"insurance_type": "pension"} if pension else {}
        last = self.random.randrange(0, 4)
        for back in range(last, last + self.random.choice((5, 14, 24, 30, 40))):
            if self.random.random() < 0.97:
                yield self.row(code, **{name: self.month(back) if kind == "yyyymm" else self.day(back), **given})
        self.gaps = GAPS

    def firm(self, code: str) -> Iterator[Row]:
        rows = [self.row(code) for _ in range(self.random.choice((0, 1, 1, 2, 4, 8)))]
        if self.category.code in MONTHLY and self.random.random() < 0.7:
            rows += list(self.run(code))
        yield from rows
        for row in rows:
            if self.random.random() < 0.04:
                yield self.row(code, record_id=row["record_id"])


def draw_records(random: Random, categories: tuple[str, ...], as_of: date, firms: int) -> dict[str, list[Row]]:
    """Some firms' rows of some categories, in no order."""
    found: dict[str, list[Row]] = {}
    for category in categories:
        drawer = Drawer(random, category, as_of)
        rows = [row for number in range(firms) for row in drawer.firm(uscc(number))]
        random.shuffle(rows)
        found[category] = rows
    return found
