"""Discrimination of a score: AUC, Gini and KS, with ties counted as half.

`outcome` is 1 for bad (default) and 0 for good everywhere in this package; `score` is higher for better enterprises
unless it says otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bank_sdk.errors import InputError

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Discrimination:
    auc: float
    """Probability that a good one scores above a bad one."""
    gini: float
    """2 * AUC - 1."""
    ks: float
    """Largest distance between the cumulative shares of bads and goods."""
    rows: int
    bads: int


def discrimination(
    score: Sequence[float] | NDArray[Any], outcome: Sequence[int] | NDArray[Any], *, higher_is: str = "better"
) -> Discrimination:
    """Exact on ties. Raises `InputError` unless there are goods and bads and every score is a number."""
    scores = np.asarray(score, np.float64) * (1 if higher_is == "better" else -1)
    bad = checked_outcome(outcome, scores.size)
    if np.isnan(scores).any():
        raise InputError("a score is NaN; leave out the enterprises without a score")
    _, place = np.unique(scores, return_inverse=True)
    levels = int(place.max()) + 1
    bads = np.bincount(place, weights=bad, minlength=levels)
    goods = np.bincount(place, weights=1 - bad, minlength=levels)
    below = np.cumsum(bads) - bads
    pairs = float(bads.sum() * goods.sum())
    auc = float((goods * (below + bads / 2)).sum()) / pairs
    gap = np.abs(np.cumsum(bads) / bads.sum() - np.cumsum(goods) / goods.sum())
    return Discrimination(auc, 2 * auc - 1, float(gap.max()), int(scores.size), int(bads.sum()))


def checked_outcome(outcome: Sequence[int] | NDArray[Any], rows: int) -> Numbers:
    """0 and 1, both present, shape (rows,). Raises `InputError`."""
    values = np.asarray(outcome)
    if values.shape != (rows,):
        raise InputError(f"give one outcome for each of the {rows} rows")
    if values.dtype.kind not in "biuf" or not np.isin(values, (0, 1)).all():
        raise InputError("an outcome is 1 for bad (default) and 0 for good")
    found = values.astype(np.float64)
    if not 0 < found.sum() < rows:
        raise InputError("the outcomes hold only one class; goods and bads are both needed")
    return found
