"""Columns by month as SVG, with presentation attributes alone: it needs neither style nor script, so that a page may
forbid both inline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 120
_LEFT: Final = 40
_TOP: Final = 8
_BASE: Final = 98
_GAP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Geometry in a box of WIDTH by HEIGHT; the top line is 100 %, the base line 0."""

    title_zh: str
    title_en: str
    bars: tuple[Bar, ...]
    first: str
    last: str
    summary: str
    """For who cannot see it."""


def month_text(month: int) -> str:
    return f"{month // 100}-{month % 100:02d}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def month_chart(title_zh: str, title_en: str, months: Sequence[int], shares: Mapping[int, float]) -> Chart:
    """A column for each month with a share; months without one stay empty. `months` is not empty, and rises."""
    step = (WIDTH - _LEFT) / len(months)
    bars = []
    for place, month in enumerate(months):
        if month in shares:
            height = round((_BASE - _TOP) * min(1.0, max(0.0, shares[month])), 1)
            label = f"{month_text(month)}: {percent(shares[month])}"
            x = round(_LEFT + place * step + _GAP / 2, 1)
            bars.append(Bar(x, round(_BASE - height, 1), round(step - _GAP, 1), height, label))
    known = [shares[month] for month in months if month in shares]
    span = f"{percent(min(known))} – {percent(max(known))}" if known else "—"
    return Chart(
        title_zh,
        title_en,
        tuple(bars),
        month_text(months[0]),
        month_text(months[-1]),
        f"{title_zh} / {title_en}: {span}",
    )
