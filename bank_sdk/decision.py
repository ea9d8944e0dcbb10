"""From a score to a decision: grades, probability of default, and what the bank's policy says about each grade.

Everything that decides is whole numbers: grades are bands of points, limits are fen (1/100 CNY), rates and
probabilities of a table are basis points (1/100 of a percent). The same score and policy give the same decision on
every machine.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from bank_sdk.errors import InputError
from bank_sdk.models.scale import Scale, ScoreDirection
from bank_sdk.results import AssessmentResult, Score, ScoreInterval

_BASIS: Final = 10_000
_MAX_BYTES: Final = 1024 * 1024
_MAX_GRADES: Final = 64


class Action(StrEnum):
    APPROVE = "approve"
    REFER = "refer"
    DECLINE = "decline"


_SEVERITY: Final = (Action.APPROVE, Action.REFER, Action.DECLINE)


@dataclass(frozen=True, slots=True)
class Grade:
    """One band of points and what the policy grants in it. Printing shows no numbers: they are the bank's policy."""

    label: str
    from_points: int | None = field(repr=False)
    """Lowest score of the band, included; None for the band that has no lower end."""
    action: Action
    limit_fen: int | None = field(default=None, repr=False)
    """The largest credit in this grade, in fen; None when the policy sets none."""
    rate_bp: int | None = field(default=None, repr=False)
    """Annual rate in basis points; None when the policy sets none."""
    pd_bp: int | None = field(default=None, repr=False)
    """Probability of default of the grade in basis points; None: from the policy's scale."""


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    grade: str
    """The grade decided by: with an interval of scores, the worse end's."""
    grades: tuple[str, ...]
    """Every grade the score may lie in, best first; more than one only with an interval of scores."""
    pd: float | None
    """Probability of default at the worse end, 0..1; None when the policy says nothing about it."""
    limit_fen: int | None
    rate_bp: int | None
    reason: str
    """Why it is not plainly the grade's action: "straddles" when an interval spans grades with different actions."""


@dataclass(frozen=True)
class Policy:
    """Grades by falling quality, each with its action.

    `grades`: best first. Where a higher score is better their `from_points` fall, and only the last has none; where
    it is riskier they rise, and only the first has none. `scale` gives the probability of default of grades without
    `pd_bp`. Raises `InputError` for anything that leaves a score without a grade, or a worse grade with a better
    treatment.
    """

    grades: Sequence[Grade]
    scale: Scale | None = None
    higher_is: ScoreDirection = "better"

    def __post_init__(self) -> None:
        grades = tuple(self.grades)
        object.__setattr__(self, "grades", grades)
        if not 1 <= len(grades) <= _MAX_GRADES or len({grade.label for grade in grades}) != len(grades):
            raise InputError(f"a policy has 1 to {_MAX_GRADES} grades with distinct labels")
        if self.higher_is not in ("better", "riskier"):
            raise InputError('higher_is is "better" or "riskier"')
        if self.scale is not None and self.scale.higher_is != self.higher_is:
            raise InputError("the scale and the policy disagree which way the score runs")
        self._check_bands(grades if self.higher_is == "better" else grades[::-1])
        for grade in grades:
            _check_numbers(grade)
        for better, worse in pairwise(grades):
            _check_order(better, worse)

    def _check_bands(self, falling: Sequence[Grade]) -> None:
        """`falling`: by falling points."""
        *cut, last = falling
        if last.from_points is not None or any(grade.from_points is None for grade in cut):
            raise InputError(
                "exactly the grade with the lowest points has no from_points, so that every score has a grade"
            )
        points = [grade.from_points for grade in cut if _is_whole(grade.from_points)]
        if len(points) != len(cut):
            raise InputError("from_points of a grade are whole points")
        if any(not above > below for above, below in pairwise(points)):  # type: ignore[operator]
            raise InputError("from_points must fall strictly with the score, without overlap")

    @classmethod
    def load(cls, path: str | Path) -> "Policy":
        """From a TOML file; docs/bank-sdk.md shows one. Raises `InputError`."""
        try:
            with Path(path).open("rb") as file:
                document = tomllib.loads(file.read(_MAX_BYTES).decode())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"{Path(path).name}: not a readable TOML file: {error}") from error
        return cls.from_document(document, Path(path).name)

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str = "policy") -> "Policy":
        """The same from its members. Unknown members are refused: a misspelt limit must not become none at all."""
        _only(document, ("grade", "scale", "higher_is"), where)
        entries = document.get("grade")
        if not isinstance(entries, list) or any(not isinstance(entry, Mapping) for entry in entries):
            raise InputError(f"{where}: write each grade as a [[grade]] table")
        scale = document.get("scale")
        higher_is = document.get("higher_is", "better")
        try:
            grades = [_read_grade(entry, f"{where}, grade {at}") for at, entry in enumerate(entries, start=1)]
            read_scale = None if scale is None else Scale(**{"higher_is": higher_is, **scale})
        except TypeError as error:
            raise InputError(f"{where}: a scale has pdo, base_score, base_odds, odds and higher_is") from error
        return cls(grades, read_scale, higher_is)

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of everything that decides; file it with each decision."""
        scale = self.scale
        document = {
            "kind": "policy/v1",
            "higher_is": self.higher_is,
            "scale": scale and [scale.pdo, scale.base_score, scale.base_odds, scale.odds],
            "grades": [[g.label, g.from_points, str(g.action), g.limit_fen, g.rate_bp, g.pd_bp] for g in self.grades],
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def grade(self, score: int) -> Grade:
        """The one grade whose band holds the score."""
        falling = self.grades if self.higher_is == "better" else tuple(self.grades)[::-1]
        return next(grade for grade in falling if grade.from_points is None or score >= grade.from_points)

    def pd(self, score: int) -> float | None:
        """Probability of default, 0..1: the grade's, else the scale's, else None."""
        grade = self.grade(score)
        if grade.pd_bp is not None:
            return grade.pd_bp / _BASIS
        return None if self.scale is None else self.scale.pd(score)

    def decide(self, score: Score | AssessmentResult, *, requested_fen: int | None = None) -> Decision:
        """What the policy says. With an interval of scores the worse end decides, and where the ends' actions differ a
        person does ("refer"): the policy never grants on the hope of the better end.

        `requested_fen`: caps the limit. Raises `InputError` when it is no positive whole number.
        """
        if requested_fen is not None and (not _is_whole(requested_fen) or requested_fen <= 0):
            raise InputError("requested_fen is a whole number of fen above 0")
        found = score.score if isinstance(score, AssessmentResult) else score
        interval = found if isinstance(found, ScoreInterval) else ScoreInterval(found, found)
        low, high = self.grade(interval.low), self.grade(interval.high)
        worse, better = (low, high) if self.higher_is == "better" else (high, low)
        order = list(self.grades)
        possible = tuple(grade.label for grade in order[order.index(better) : order.index(worse) + 1])
        straddles = worse.action is not better.action
        action = Action.REFER if straddles else worse.action
        limit, rate = (worse.limit_fen, worse.rate_bp) if action is not Action.DECLINE else (None, None)
        if limit is not None and requested_fen is not None:
            limit = min(limit, requested_fen)
        pd = self.pd(interval.low if self.higher_is == "better" else interval.high)
        return Decision(action, worse.label, possible, pd, limit, rate, "straddles" if straddles else "")

    def __repr__(self) -> str:
        return f"Policy({len(self.grades)} grades, digest {self.digest[:12]}, **redacted**)"


def _check_order(better: Grade, worse: Grade) -> None:
    pairs = ((better.limit_fen, worse.limit_fen), (worse.rate_bp, better.rate_bp), (worse.pd_bp, better.pd_bp))
    kinder = any(first is not None and second is not None and first < second for first, second in pairs)
    if kinder or _SEVERITY.index(better.action) > _SEVERITY.index(worse.action):
        raise InputError(f"grade {worse.label} is treated better than grade {better.label} above it")


def _check_numbers(grade: Grade) -> None:
    if not 1 <= len(grade.label) <= 32:
        raise InputError("the label of a grade has 1 to 32 characters")
    for name, value, most in (
        ("limit_fen", grade.limit_fen, 10**15),
        ("rate_bp", grade.rate_bp, 100 * _BASIS),
        ("pd_bp", grade.pd_bp, _BASIS),
    ):
        if value is not None and (not _is_whole(value) or not 0 <= value <= most):
            raise InputError(f"grade {grade.label}: {name} is a whole number from 0 to {most}")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _read_grade(entry: Mapping[str, Any], where: str) -> Grade:
    _only(entry, ("label", "from", "action", "limit_fen", "rate_bp", "pd_bp"), where)
    label, action = entry.get("label"), entry.get("action")
    if not isinstance(label, str):
        raise InputError(f"{where}: label is a text")
    try:
        known = Action(str(action))
    except ValueError as error:
        raise InputError(f"{where}: action is approve, refer or decline") from error
    return Grade(label, entry.get("from"), known, entry.get("limit_fen"), entry.get("rate_bp"), entry.get("pd_bp"))


def _only(document: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := sorted(set(document) - set(known)):
        raise InputError(f"{where}: unknown member {unknown[0]}; known: {', '.join(known)}")
