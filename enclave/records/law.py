"""The law in force, carried out on rows: which rule of the catalogue shuts a record out.

Nothing here knows a category or a law. A rule says in the catalogue which field of which category tells of a repair or
ends a publicity; it holds from its date on. Rows that are shut out stay in the tables, since that a holder has spoken
of an enterprise at all can matter (a later statement without arrears ends earlier ones); their content is not used.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import ibis
from xinyidai.catalogue import Application, Catalogue, Publicity


@dataclass(frozen=True, slots=True)
class Law:
    """The rules of one catalogue in force on one day. Build with `Law.at`."""

    as_of: date
    applications: Mapping[str, tuple[tuple[str, Application], ...]]
    """Category code to (rule code, application)."""

    @classmethod
    def at(cls, as_of: date, catalogue: Catalogue) -> "Law":
        found: dict[str, list[tuple[str, Application]]] = {}
        for rule in catalogue.rules:
            if date.fromisoformat(rule.effective) <= as_of:
                for applied in rule.applies:
                    found.setdefault(applied.category, []).append((rule.code, applied))
        return cls(as_of, {category: tuple(rules) for category, rules in found.items()})

    def breaches(self, table: ibis.Table, category: str) -> dict[str, ibis.Value]:
        """Rule code to whether it shuts a row out; never NULL. Empty where no rule concerns the category."""
        return {code: self._shut(table, applied) for code, applied in self.applications.get(category, ())}

    def lawful(self, table: ibis.Table, category: str) -> ibis.Value:
        """Whether no rule shuts a row out."""
        found: ibis.Value = ibis.literal(True)
        for breach in self.breaches(table, category).values():
            found = found & ~breach
        return found

    def _shut(self, table: ibis.Table, applied: Application) -> ibis.Value:
        if applied.publicity is None:
            return table[applied.repaired].fill_null(False)
        ended = (table[applied.publicity.end] <= self.as_of).fill_null(False)
        return ended | self._too_old(table, applied.publicity) if applied.publicity.begin else ended

    def _too_old(self, table: ibis.Table, publicity: Publicity) -> ibis.Value:
        """Whether the longest period is over, whatever end the record states."""
        severity, begin = table[publicity.severity], table[publicity.begin]
        last_day = {value: months_before(self.as_of, months) for value, months in publicity.most_months}
        cases = ((severity == value, begin <= day) for value, day in last_day.items())
        return ibis.cases(*cases, else_=begin <= min(last_day.values())).fill_null(False)


def months_before(day: date, months: int) -> date:
    """The last date from which so many months have passed by the end of `day`."""
    number = day.year * 12 + day.month - 1 - months
    year, month = number // 12, number % 12 + 1
    longest = monthrange(year, month)[1]
    is_month_end = day.day == monthrange(day.year, day.month)[1]
    return date(year, month, longest if is_month_end else min(day.day, longest))
