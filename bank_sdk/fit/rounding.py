"""Leaves into whole points, one tree after the other, so that what rounding leaves over does not add up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from xinyidai.catalogue import Catalogue

from bank_sdk.errors import InputError
from bank_sdk.fit.additive import Numbers
from bank_sdk.fit.codes import Codes, leaves_of
from bank_sdk.models.trees import Split, Tree, TreeModel


@dataclass(frozen=True, slots=True)
class Grown:
    """A tree on cells whose points are still to come."""

    tree: Tree
    values: tuple[float, ...] = field(repr=False)
    """Log-odds of good, an entry a node; 0 at splits."""


def to_points(
    grown: Sequence[Grown],
    codes: Codes,
    catalogue: Catalogue,
    factor: float,
    base: float,
    signs: Mapping[str, int],
    name: str,
) -> TreeModel:
    """`codes`: the rows training saw. `factor`: points for one unit of log-odds. `base`: points before any tree.

    A leaf takes, beside its own points, the mean of what its rows are still owed by the trees before. Where that would
    turn a monotone feature around, the tree is rounded by itself. Raises `InputError` when no tree is left.
    """
    constants = sum(factor * g.values[0] for g in grown if g.tree.splits[0] is None)
    base_points = round(base + constants)
    rows = next(iter(codes.values())).size
    owed = np.full(rows, base + constants - base_points)
    trees = []
    for one in grown:
        if one.tree.splits[0] is None:
            continue
        leaf = leaves_of(one.tree, codes, catalogue)
        exact = factor * np.array(one.values)
        counts = np.bincount(leaf, minlength=exact.size)
        mean = np.bincount(leaf, weights=owed, minlength=exact.size) / np.maximum(counts, 1)
        tree = _rounded(one.tree, exact + mean)
        if not _keeps_order(tree, signs, catalogue, factor):
            tree = _rounded(one.tree, exact)
        owed += (exact - np.array(tree.points))[leaf]
        trees.append(tree)
    kept = tuple(tree for tree in trees if len(set(tree.leaves)) > 1)
    if not kept:
        raise InputError("no split separates goods from bads; look at min_rows, the learning rate and the outcomes")
    base_points += sum(tree.leaves[0] for tree in trees if len(set(tree.leaves)) == 1)
    return TreeModel(name, catalogue, kept, base_points)


def _rounded(tree: Tree, points: Numbers) -> Tree:
    whole = np.rint(points).astype(np.int64).tolist()
    return replace(tree, points=tuple(whole))


def _keeps_order(tree: Tree, signs: Mapping[str, int], catalogue: Catalogue, factor: float) -> bool:
    """Whether at every split of a monotone feature's values no leaf of the better side is below one of the other."""
    lowest, highest = list(tree.points), list(tree.points)
    kept = True
    for node in reversed(range(len(tree.splits))):
        split = tree.splits[node]
        if split is None:
            continue
        left, right = tree.left[node], tree.right[node]
        lowest[node] = min(lowest[left], lowest[right])
        highest[node] = max(highest[left], highest[right])
        rising = signs[split.feature] * (1 if factor > 0 else -1)
        if rising and _cuts_values(split, catalogue):
            kept &= highest[left] <= lowest[right] if rising > 0 else highest[right] <= lowest[left]
    return kept


def _cuts_values(split: Split, catalogue: Catalogue) -> bool:
    """Whether value cells lie on both sides; those below always go left."""
    values = catalogue.feature(split.feature).missing
    return 0 < sum(cell < values for cell in split.left) < values
