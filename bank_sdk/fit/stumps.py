"""Boosted stumps on codes: gradient boosting of depth one, which is additive and therefore a points table.

Each round takes one feature, cuts its value cells in two, and gives either side, and each cell that is no value, a
Newton step of its own. A monotone feature takes only cuts in its direction, so the sum keeps the direction too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue

from bank_sdk.errors import InputError
from bank_sdk.fit.additive import NO_VALUE, Additive, Numbers
from bank_sdk.fit.codes import Codes

_LEAST_GAIN = 1e-6


@dataclass(frozen=True, slots=True)
class StumpOptions:
    rounds: int = 300
    learning_rate: float = 0.1
    l2: float = 1.0
    """Ridge penalty of a step."""
    min_rows: int = 20
    """Least rows on either side of a cut, and in a cell that is no value to be judged by itself."""
    subsample: float = 1.0
    """Share of the rows drawn, without replacement, for each round."""


class _Grid:
    """Index arrays over all cells of all features, value cells padded to one width."""

    def __init__(self, codes: Codes, catalogue: Catalogue, signs: Mapping[str, int]) -> None:
        self.names = list(codes)
        features = [catalogue.feature(name) for name in self.names]
        sizes = np.array([len(feature.cells) for feature in features])
        self.starts = np.cumsum(sizes) - sizes
        self.total = int(sizes.sum())
        self.sizes = sizes
        self.values = np.array([feature.missing for feature in features])
        width = np.arange(int(self.values.max()))
        inside = width[None, :] < self.values[:, None]
        # The padding points one past the end, where the histograms hold zero.
        self.value_cells = np.where(inside, self.starts[:, None] + width, self.total)
        self.inside = inside
        self.no_value = self.starts[:, None] + self.values[:, None] + np.arange(len(NO_VALUE))
        self.signs = np.array([signs[name] for name in self.names])
        self.flat = np.column_stack([codes[name] for name in self.names]) + self.starts
        self.rows = np.bincount(self.flat.reshape(-1), minlength=self.total + 1).astype(np.float64)
        self.left_rows = np.cumsum(self.rows[self.value_cells], axis=1)
        self.right_rows = self.left_rows[:, -1:] - self.left_rows


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Per feature: gradients and curvatures left and right of every cut, and of the cells that are no value."""

    left: Numbers
    right: Numbers
    other: Numbers
    left_curve: Numbers
    right_curve: Numbers
    other_curve: Numbers


def fit_stumps(
    codes: Codes, bad: Numbers, catalogue: Catalogue, signs: Mapping[str, int], seed: int, options: StumpOptions
) -> Additive:
    """Raises `InputError` when no cut separates goods from bads."""
    grid = _Grid(codes, catalogue, signs)
    good = 1 - bad
    intercept = float(np.log(good.mean() / bad.mean()))
    cells = np.zeros(grid.total + 1)
    margin = np.full(bad.size, intercept)
    generator = np.random.default_rng(seed)
    used: set[int] = set()
    for _ in range(options.rounds):
        drawn = _draw(generator, bad.size, options.subsample)
        chance = 1 / (1 + np.exp(-margin[drawn]))
        sums = _sums(grid, grid.flat[drawn], chance - good[drawn], chance * (1 - chance))
        found = _best(grid, sums, options)
        if found is None:
            break
        used.add(found[0])
        steps = _steps(grid, sums, found, options)
        cells += steps
        margin += steps[grid.flat[:, found[0]]]
    if not used:
        raise InputError("no cut separates goods from bads; look at min_rows and at the outcomes")
    return _additive(grid, cells, intercept, used, options)


def _draw(generator: np.random.Generator, rows: int, share: float) -> NDArray[np.int64]:
    if share >= 1:
        return np.arange(rows)
    return np.sort(generator.permutation(rows)[: max(1, round(share * rows))])


def _sums(grid: _Grid, flat: NDArray[np.int64], gradient: Numbers, curve: Numbers) -> _Sums:
    pieces = []
    for values in (gradient, curve):
        repeated = np.repeat(values, flat.shape[1])
        counted = np.bincount(flat.reshape(-1), weights=repeated, minlength=grid.total + 1)
        histogram: Numbers = counted.astype(np.float64)
        left: Numbers = np.cumsum(histogram[grid.value_cells], axis=1)
        pieces.append((left, left[:, -1:] - left, histogram[grid.no_value]))
    (left, right, other), (left_curve, right_curve, other_curve) = pieces
    return _Sums(left, right, other, left_curve, right_curve, other_curve)


def _best(grid: _Grid, sums: _Sums, options: StumpOptions) -> tuple[int, int] | None:
    """(feature, last cell of the left side) with the largest gain; None when nothing gains."""
    least, l2 = options.min_rows, options.l2
    gain = sums.left**2 / (sums.left_curve + l2) + sums.right**2 / (sums.right_curve + l2)
    judged = grid.rows[grid.no_value] >= least
    gain = gain + (judged * sums.other**2 / (sums.other_curve + l2)).sum(axis=1, keepdims=True)
    slope = sums.left / (sums.left_curve + l2) - sums.right / (sums.right_curve + l2)
    # A right side without rows is no cut at all: the value cells as one, beside the cells that are no value.
    whole = grid.right_rows == 0
    allowed = grid.inside & (grid.left_rows >= least) & (whole | (grid.right_rows >= least))
    allowed &= whole | (grid.signs[:, None] * slope >= 0)
    gain = np.where(allowed, gain, -np.inf)
    at = int(np.argmax(gain))
    feature, cut = divmod(at, gain.shape[1])
    return (feature, cut) if gain[feature, cut] > _LEAST_GAIN else None


def _steps(grid: _Grid, sums: _Sums, found: tuple[int, int], options: StumpOptions) -> Numbers:
    feature, cut = found
    rate, l2 = options.learning_rate, options.l2
    steps = np.zeros(grid.total + 1)
    start, values = int(grid.starts[feature]), int(grid.values[feature])
    left = -rate * sums.left[feature, cut] / (sums.left_curve[feature, cut] + l2)
    right = -rate * sums.right[feature, cut] / (sums.right_curve[feature, cut] + l2)
    if grid.right_rows[feature, cut] == 0:
        right = left
    steps[start : start + cut + 1] = left
    steps[start + cut + 1 : start + values] = right
    judged = grid.rows[grid.no_value[feature]] >= options.min_rows
    steps[grid.no_value[feature]] = -rate * judged * sums.other[feature] / (sums.other_curve[feature] + l2)
    return steps


def _additive(grid: _Grid, cells: Numbers, intercept: float, used: set[int], options: StumpOptions) -> Additive:
    contributions = {}
    for at in sorted(used):
        own = cells[grid.starts[at] : grid.starts[at] + grid.sizes[at]].copy()
        thin = grid.rows[grid.no_value[at]] < options.min_rows
        own[grid.values[at] :][thin] = np.nan
        contributions[grid.names[at]] = own
    dropped = {name: "no cut of it was taken" for at, name in enumerate(grid.names) if at not in used}
    return Additive(intercept, contributions, dropped)
