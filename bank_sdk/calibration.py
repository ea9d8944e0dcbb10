"""Probabilities of default from a bank's own outcomes: a line in the log-odds, or one number a grade."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bank_sdk.decision import Policy
from bank_sdk.errors import InputError
from bank_sdk.fit.woe import logistic
from bank_sdk.metrics import checked_outcome
from bank_sdk.models.scale import Scale, ScoreDirection

_WEAK_PENALTY = 1e6
"""Inverse ridge strength: only enough to stay finite when scores separate the outcomes."""


def calibrate_scale(
    scores: Sequence[int] | NDArray[Any],
    outcome: Sequence[int] | NDArray[Any],
    *,
    base_score: float,
    higher_is: ScoreDirection = "better",
) -> Scale:
    """The scale that fits the outcomes best: ln(good:bad) = alpha + beta * score, by maximum likelihood.

    `outcome`: 1 bad, 0 good, of the same population the probabilities are wanted for (say whether that is through the
    cycle or at a point in time; nothing here knows). The result's odds at `base_score` and PDO follow from the line.
    Raises `InputError`, also when the fitted line runs against `higher_is`.
    """
    values = np.asarray(scores, np.float64)
    bad = checked_outcome(outcome, values.size)
    centre, spread = float(values.mean()), float(values.std())
    if not spread > 0:
        raise InputError("all scores are equal; a calibration needs scores that differ")
    alpha, slope = logistic(((values - centre) / spread)[:, None], 1 - bad, _WEAK_PENALTY)
    beta = float(slope[0]) / spread
    if (beta > 0) != (higher_is == "better"):
        raise InputError("the outcomes run against the score: check the coding (1 is bad) and higher_is")
    odds = math.exp(alpha + beta * (base_score - centre))
    return Scale(math.log(2) / abs(beta), base_score, odds, "good:bad", higher_is)


def calibrate_grades(
    policy: Policy, scores: Sequence[int] | NDArray[Any], outcome: Sequence[int] | NDArray[Any], *, min_rows: int = 50
) -> Policy:
    """The policy with each grade's `pd_bp` from the outcomes of that grade, half a bad and half a good added.

    Grades whose observed rates are in the wrong order are pooled with their neighbours, so that a worse grade never
    has a smaller probability. Raises `InputError` for a grade with fewer than `min_rows` rows: merge it, or give its
    number yourself.
    """
    values = np.asarray(scores)
    bad = checked_outcome(outcome, values.size)
    labels = [policy.grade(int(score)).label for score in values]
    counts = {grade.label: [0.5, 1.0] for grade in policy.grades}
    for label, is_bad in zip(labels, bad, strict=True):
        counts[label][0] += is_bad
        counts[label][1] += 1
    for label, (_, rows) in counts.items():
        if rows - 1 < min_rows:
            raise InputError(f"grade {label} has {int(rows - 1)} rows and needs {min_rows}; merge it with another")
    blocks: list[tuple[float, float, int]] = []
    for bads, rows in counts.values():
        blocks.append((bads, rows, 1))
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    rates = [round(10_000 * bads / rows) for bads, rows, width in blocks for _ in range(width)]
    return replace(policy, grades=[replace(g, pd_bp=rate) for g, rate in zip(policy.grades, rates, strict=True)])
