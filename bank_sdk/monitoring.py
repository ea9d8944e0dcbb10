"""Population stability over fixed integer bands: PSI of scores, CSI of characteristics.

Both populations must be scored by the same integer model and counted in the same bands; bands cut at quantiles of
either side give artefacts. A band that is empty on one side counts as half a row there, so that the index stays
finite; a band that is empty on both sides counts nothing. Nothing else is smoothed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bank_sdk.errors import InputError

EPSILON_ROWS: Final = 0.5
"""Rows an empty band counts as."""
SHIFT: Final = 0.10
MAJOR: Final = 0.25
"""Conventions of the trade (Lewis, 1994), which depend on sample and bands: arguments, not laws."""


@dataclass(frozen=True, slots=True)
class Band:
    lowest: int | None
    """Included; None: no lower end."""
    below: int | None
    """Excluded; None: no upper end."""
    expected: int
    actual: int
    index: float
    """What this band adds to the total."""


@dataclass(frozen=True, slots=True)
class Stability:
    index: float
    bands: tuple[Band, ...]
    reading: str
    """stable, shift or major."""


def psi(
    expected: Sequence[int] | NDArray[Any],
    actual: Sequence[int] | NDArray[Any],
    cuts: Sequence[int],
    *,
    shift: float = SHIFT,
    major: float = MAJOR,
) -> Stability:
    """Sum over bands of (a - e) * ln(a / e), shares of `actual` against `expected`.

    `cuts`: rising integers; band i holds scores from cuts[i-1], included, to cuts[i], excluded. Raises `InputError`.
    """
    edges = checked_cuts(cuts)
    counts = [_counts(side, edges) for side in (expected, actual)]
    sizes = [int(side.sum()) for side in counts]
    bounds: list[int | None] = [None, *edges, None]
    bands = []
    for at, (before, now) in enumerate(zip(counts[0].tolist(), counts[1].tolist(), strict=True)):
        part = 0.0
        if before or now:
            e, a = max(before, EPSILON_ROWS) / sizes[0], max(now, EPSILON_ROWS) / sizes[1]
            part = (a - e) * math.log(a / e)
        bands.append(Band(bounds[at], bounds[at + 1], before, now, part))
    index = math.fsum(band.index for band in bands)
    return Stability(index, tuple(bands), "major" if index >= major else "shift" if index >= shift else "stable")


def csi(
    expected: Mapping[str, Sequence[int] | NDArray[Any]],
    actual: Mapping[str, Sequence[int] | NDArray[Any]],
    cuts: Mapping[str, Sequence[int]],
) -> dict[str, Stability]:
    """The same for each characteristic: the points of a category where results disclose by category, or the cells of a
    feature in the bank's own data. Raises `InputError` when the sides name different characteristics."""
    if not set(expected) == set(actual) == set(cuts):
        raise InputError("expected, actual and cuts must name the same characteristics")
    return {name: psi(expected[name], actual[name], cuts[name]) for name in expected}


def checked_cuts(cuts: Sequence[int]) -> tuple[int, ...]:
    """Raises `InputError` unless the cuts are rising integers."""
    edges = tuple(cuts)
    whole = all(isinstance(cut, int | np.integer) and not isinstance(cut, bool) for cut in edges)
    if not edges or not whole or any(not a < b for a, b in pairwise(edges)):
        raise InputError("bands are cut at rising whole points, at least one cut")
    return tuple(int(cut) for cut in edges)


def _counts(scores: Sequence[int] | NDArray[Any], edges: tuple[int, ...]) -> NDArray[np.int64]:
    values = np.asarray(scores)
    if values.ndim != 1 or not values.size or values.dtype.kind not in "iu":
        raise InputError("give whole scores, at least one a side; leave out enterprises without a score")
    places = np.searchsorted(np.array(edges), values, side="right")
    return np.bincount(places, minlength=len(edges) + 1).astype(np.int64)
