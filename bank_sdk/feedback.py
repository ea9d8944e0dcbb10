"""A bank's own outcomes, fed back to its model: bad loans and refusals over time.

Everything here is computed on the bank's machine from the bank's own file; nothing is sent to anybody.

Stability is over all applications, refused ones included, because that is whom the model meets. Discrimination and
calibration are over loans whose outcome is known: refused applications have none, so both speak about the approved
alone, and a model that refuses well looks worse by them than it is.
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bank_sdk.decision import Policy
from bank_sdk.errors import InputError
from bank_sdk.metrics import Discrimination, discrimination
from bank_sdk.monitoring import Stability, checked_cuts, psi

COLUMNS: Final = ("month", "score", "decision", "bad")
DRIFT: Final = 2.0
"""Standard deviations between expected and observed bads from which on a period reads "drift": a convention."""
_MAX_ROWS: Final = 10_000_000
_DECISIONS: Final = {"approved": True, "refused": False}
_OUTCOMES: Final = {"": None, "0": False, "1": True}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One application and what became of it."""

    month: int
    """yyyymm of the application."""
    score: int
    approved: bool
    bad: bool | None
    """None: not known yet, or refused."""


@dataclass(frozen=True, slots=True)
class PeriodReview:
    first: int
    """yyyymm."""
    last: int
    applications: int
    refused: int
    known: int
    """Loans whose outcome is known."""
    bads: int
    stability: Stability | None
    """Of all scores against the first period; None for the first period itself."""
    discrimination: Discrimination | None
    """None while there are no goods or no bads."""
    expected_bads: float | None
    """By the policy's probabilities, over the loans whose outcome is known; None without such probabilities."""
    deviation: float | None
    """(bads - expected) in standard deviations of independent defaults; above 0: more bads than expected."""

    @property
    def reading(self) -> str:
        """in_line, or drift where stability is not stable or the deviation is `DRIFT` or more."""
        shifted = self.stability is not None and self.stability.reading != "stable"
        return "drift" if shifted or (self.deviation is not None and abs(self.deviation) >= DRIFT) else "in_line"


def read_outcomes(path: str | Path) -> list[Outcome]:
    """A CSV in UTF-8 with the columns month (yyyymm), score, decision (approved, refused) and bad (1, 0, empty).

    Raises `InputError` that names the line.
    """
    found = []
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if absent := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
                raise InputError(f"{Path(path).name}: has no column {absent[0]}; it needs {', '.join(COLUMNS)}")
            for row in reader:
                found.append(_read(row, f"{Path(path).name}, line {reader.line_num}"))
                if len(found) > _MAX_ROWS:
                    raise InputError(f"{Path(path).name}: more than {_MAX_ROWS} rows")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{Path(path).name}: not a readable CSV file in UTF-8") from error
    return found


def _read(row: dict[str, str | None], where: str) -> Outcome:
    texts = {name: (row[name] or "").strip() for name in COLUMNS}
    month, score = texts["month"], texts["score"]
    if not (len(month) == 6 and month.isascii() and month.isdigit() and 1 <= int(month[4:]) <= 12):
        raise InputError(f"{where}: month is written yyyymm")
    whole = score.removeprefix("-")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 9):
        raise InputError(f"{where}: score is a whole number")
    if texts["decision"] not in _DECISIONS or texts["bad"] not in _OUTCOMES:
        raise InputError(f"{where}: decision is approved or refused, bad is 1, 0 or empty")
    outcome = Outcome(int(month), int(score), _DECISIONS[texts["decision"]], _OUTCOMES[texts["bad"]])
    if outcome.bad is not None and not outcome.approved:
        raise InputError(f"{where}: a refused application has no outcome; leave bad empty")
    return outcome


def review(
    outcomes: Sequence[Outcome], cuts: Sequence[int], *, months: int = 3, policy: Policy | None = None
) -> list[PeriodReview]:
    """Period by period of `months` calendar months, the first one as baseline.

    `cuts`: rising scores that bound the bands of the stability index, the same for all periods. `policy`: gives the
    expected probability of default and says which way the score runs; without one a higher score is better. Raises
    `InputError`.
    """
    if not 1 <= months <= 12 or 12 % months:
        raise InputError("a period is 1, 2, 3, 4, 6 or 12 months")
    if not outcomes:
        raise InputError("there is no outcome to review")
    edges = checked_cuts(cuts)
    grouped: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        grouped.setdefault(_period(outcome.month, months), []).append(outcome)
    periods = [grouped[key] for key in sorted(grouped)]
    baseline = [outcome.score for outcome in periods[0]]
    return [_review(period, baseline if at else None, edges, policy) for at, period in enumerate(periods)]


def _period(month: int, months: int) -> int:
    return (month // 100 * 12 + month % 100 - 1) // months


def _review(
    period: Sequence[Outcome], baseline: Sequence[int] | None, cuts: tuple[int, ...], policy: Policy | None
) -> PeriodReview:
    known = [outcome for outcome in period if outcome.bad is not None]
    bads = sum(bool(outcome.bad) for outcome in known)
    both = 0 < bads < len(known)
    higher_is = policy.higher_is if policy else "better"
    expected, deviation = _calibration(known, bads, policy)
    return PeriodReview(
        first=min(outcome.month for outcome in period),
        last=max(outcome.month for outcome in period),
        applications=len(period),
        refused=sum(not outcome.approved for outcome in period),
        known=len(known),
        bads=bads,
        stability=None if baseline is None else psi(baseline, [outcome.score for outcome in period], cuts),
        discrimination=discrimination([o.score for o in known], [int(bool(o.bad)) for o in known], higher_is=higher_is)
        if both
        else None,
        expected_bads=expected,
        deviation=deviation,
    )


def _calibration(known: Sequence[Outcome], bads: int, policy: Policy | None) -> tuple[float | None, float | None]:
    if policy is None or not known:
        return None, None
    chances = [policy.pd(outcome.score) for outcome in known]
    if any(chance is None for chance in chances):
        return None, None
    sure = [chance for chance in chances if chance is not None]
    expected, variance = math.fsum(sure), math.fsum(chance * (1 - chance) for chance in sure)
    return expected, (bads - expected) / math.sqrt(variance) if variance > 0 else None
