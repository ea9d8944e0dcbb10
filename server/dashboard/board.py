"""From facts to what is published: no cell about fewer than five enterprises, counts in steps of five.

Not guaranteed: differential privacy. Who knows all the others of a cell, or sees the cell before and after one more
came, may learn something about that one; rounding blurs it, and the board changes once an hour at most.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Final

from server.dashboard.facts import Fact, county_of

LEAST_ENTERPRISES: Final = 5
RATE_STEP_BP: Final = 10
COUNTS: Final = (
    "firms", "demands", "picked", "credited", "loans", "first_loans", "credit_loans", "overdue_loans", "queries",
    "authorizations", "revoked",
)  # fmt: skip
_VALUES: Final = ("credit_hours", "rate_bp")
SHARES: Final[Mapping[str, tuple[str, str]]] = {
    "pick_up": ("picked", "demands"),
    "credited": ("credited", "demands"),
    "first": ("first_loans", "loans"),
    "credit": ("credit_loans", "loans"),
    "overdue": ("overdue_loans", "loans"),
    "revoked": ("revoked", "authorizations"),
}
"""Share to numerator and denominator."""


@dataclass(frozen=True, slots=True)
class Cell:
    county: str
    """Six digits; "" for all."""
    month: int
    """yyyymm; 0 for all."""
    counts: Mapping[str, int]
    """Multiples of five; a figure about too few enterprises is missing, and so is one that is nought."""
    shares: Mapping[str, float]
    """Of published counts, so that they say no more than these."""
    days_to_credit_median: float | None
    """Whole tenths of a day."""
    days_to_credit_mean: float | None
    mean_rate_bp: int | None
    """A multiple of ten."""


@dataclass(frozen=True, slots=True)
class Board:
    made_at: int
    """Seconds since 1970-01-01 UTC."""
    cells: tuple[Cell, ...]
    """All first, then by county and month."""

    @property
    def total(self) -> Cell | None:
        return next((cell for cell in self.cells if not cell.county and not cell.month), None)

    def months(self, county: str) -> tuple[Cell, ...]:
        """Of one county ("": of all), rising."""
        return tuple(cell for cell in self.cells if cell.county == county and cell.month)

    @property
    def counties(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.county and not cell.month)


@dataclass(slots=True)
class _Gathered:
    enterprises: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    amounts: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, fact: Fact) -> None:
        self.enterprises[fact.figure].add(fact.enterprise)
        self.amounts[fact.figure].append(fact.amount)

    def enough(self, figure: str) -> bool:
        return len(self.enterprises[figure]) >= LEAST_ENTERPRISES


def build_board(facts: Iterable[Fact], made_at: int) -> Board:
    gathered: dict[tuple[str, int], _Gathered] = defaultdict(_Gathered)
    for fact in facts:
        for county in ("", county_of(fact.enterprise)):
            for month in (0, fact.month):
                gathered[county, month].add(fact)
    cells = [_cell(county, month, found) for (county, month), found in sorted(gathered.items())]
    return Board(made_at, tuple(cell for cell in cells if cell.counts))


def stepped(number: int, step: int = LEAST_ENTERPRISES) -> int:
    """The nearest multiple, half up."""
    return (2 * number + step) // (2 * step) * step


def _cell(county: str, month: int, found: _Gathered) -> Cell:
    figures = [*COUNTS, *sorted(set(found.amounts) - {*COUNTS, *_VALUES})]
    counts = {figure: stepped(sum(found.amounts[figure])) for figure in figures if found.enough(figure)}
    shares = {
        name: round(min(1.0, counts[part] / counts[whole]), 3)
        for name, (part, whole) in SHARES.items()
        if part in counts and whole in counts
    }
    hours = found.amounts["credit_hours"] if found.enough("credit_hours") else []
    rates = found.amounts["rate_bp"] if found.enough("rate_bp") else []
    return Cell(
        county,
        month,
        counts,
        shares,
        round(median(hours) / 24, 1) if hours else None,
        round(fmean(hours) / 24, 1) if hours else None,
        stepped(round(fmean(rates)), RATE_STEP_BP) if rates else None,
    )
