"""Gradient-boosted trees on a catalogue, in whole numbers, with their plaintext twin and the proof that they fit.

A split asks whether a feature's cell is one of those that go left. The path cost of a leaf is the number of splits on
its path where a record goes the other way: 0 for exactly one leaf of each tree, and linear in the one-hot cells.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CatalogueError, Feature
from xinyidai.framing import TreeShape
from xinyidai.packing import pack_columns, packing_for, spread_leaves
from xinyidai.parameters import MAX_TREE_DEPTH, MAX_TREE_LEAVES, TREES_8192, TreeParameterSet

from bank_sdk.errors import ImportRefused, InputError, PointsInvalid, PointsOverflow, TableInvalid, UnknownFeature
from bank_sdk.models.tables import whole

Side = Literal["left", "right"]
_Path = list[tuple[int, bool]]
_Cells = dict[str, int]


@dataclass(frozen=True, slots=True, repr=False)
class Split:
    """Cells of `feature` in `left` go left, all others right. Cells are indices into `Feature.cells`."""

    feature: str
    left: frozenset[int]

    @classmethod
    def below(
        cls, feature: Feature, threshold: int, *, missing: Side, not_applicable: Side, not_authorized: Side
    ) -> "Split":
        """Value cells below `threshold` go left: values below `feature.grid[threshold - 1]`, 1 <= threshold.

        Cells without a value go where they are told. Raises `InputError` for a threshold off the grid.
        """
        if not 1 <= threshold <= len(feature.grid):
            raise InputError(f"{feature.code}: a threshold is a value cell, 1 to {len(feature.grid)}")
        kinds = zip(
            (feature.missing, feature.not_applicable, feature.not_authorized),
            (missing, not_applicable, not_authorized),
            strict=True,
        )
        return cls(feature.code, frozenset(range(threshold)) | {cell for cell, side in kinds if side == "left"})


@dataclass(frozen=True, repr=False)
class Tree:
    """Node 0 is the root. Node i is a split with children left[i] and right[i], or a leaf: splits[i] is None.

    All four have one entry a node; children come after their parent, and what a leaf has for children, or a split for
    points, is not looked at. The contents are the bank's secret: printing shows none.
    """

    splits: tuple[Split | None, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    points: tuple[int, ...]

    def __post_init__(self) -> None:
        count = len(self.splits)
        if not count or {len(self.left), len(self.right), len(self.points)} != {count}:
            raise TableInvalid("a tree has one entry a node in splits, left, right and points")
        reached = [0]
        for node, split in enumerate(self.splits):
            if split is not None:
                children = (self.left[node], self.right[node])
                if not all(node < child < count for child in children):
                    raise TableInvalid("the children of a node come after it, within the tree")
                reached += children
        if sorted(reached) != list(range(count)):
            raise TableInvalid("every node but the root is the child of exactly one node")
        leaves = tuple(
            0 if split is not None else whole("leaf", value, "refuse")
            for split, value in zip(self.splits, self.points, strict=True)
        )
        object.__setattr__(self, "points", leaves)

    def paths(self) -> Iterator[tuple[int, _Path]]:
        """Every leaf with its path from the root: (node, went left)."""
        waiting: list[tuple[int, _Path]] = [(0, [])]
        while waiting:
            node, path = waiting.pop()
            if self.splits[node] is None:
                yield node, path
                continue
            waiting.append((self.right[node], [*path, (node, False)]))
            waiting.append((self.left[node], [*path, (node, True)]))

    @cached_property
    def leaves(self) -> tuple[int, ...]:
        return tuple(self.points[node] for node, _ in self.paths())

    def evaluate(self, cell_of: _Cells) -> int:
        node = 0
        while (split := self.splits[node]) is not None:
            node = self.left[node] if cell_of[split.feature] in split.left else self.right[node]
        return self.points[node]


@dataclass(frozen=True, slots=True)
class TreeProof:
    """No record, whatever its cells, gives a total the parameter set does not carry.

    The encrypted points of a leaf are its points minus the smallest of its tree, so they are 0 or more; exactly one
    leaf of each tree is reached, so the total is at most the sum of the trees' spans.
    """

    parameter_set: str
    spans: tuple[int, ...]
    """Largest minus smallest leaf of each tree."""
    largest: int
    limit: int
    """The largest total that fits."""
    depth: int
    leaves: int

    @property
    def headroom(self) -> int:
        """Points to spare. An answer known to within h points needs 2 * h of them."""
        return self.limit - self.largest


@dataclass(frozen=True, repr=False)
class TreeModel:
    """An immutable ensemble; the score is `base_points` plus one leaf of each tree. Printing shows no split or leaf."""

    name: str
    catalogue: Catalogue
    trees: tuple[Tree, ...]
    base_points: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "trees", tuple(self.trees))
        if not 1 <= len(self.name) <= 128:
            raise TableInvalid("the name of a model has 1 to 128 characters")
        if not self.trees:
            raise TableInvalid("the ensemble has no tree")
        for split in (split for tree in self.trees for split in tree.splits if split is not None):
            try:
                feature = self.catalogue.feature(split.feature)
            except CatalogueError as error:
                raise UnknownFeature(split.feature) from error
            if not split.left <= set(range(len(feature.cells))):
                raise PointsInvalid(f"{split.feature}: has cells 0 to {len(feature.cells) - 1}")
        object.__setattr__(self, "base_points", whole("base_points", self.base_points, "refuse"))

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of the canonical JSON of everything that makes the score; the name is not part of it."""
        document = {
            "kind": "trees/v1",
            "catalogue": self.catalogue.digest,
            "base_points": self.base_points,
            "trees": [
                {
                    "splits": [s and [s.feature, sorted(s.left)] for s in tree.splits],
                    "left": tree.left,
                    "right": tree.right,
                    "points": tree.points,
                }
                for tree in self.trees
            ],
        }
        return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    @cached_property
    def features(self) -> tuple[str, ...]:
        """The features some split asks about, in the catalogue's order."""
        asked = {split.feature for tree in self.trees for split in tree.splits if split is not None}
        return tuple(feature.code for feature in self.catalogue.features if feature.code in asked)

    @cached_property
    def offset(self) -> int:
        """score = decrypted total + offset."""
        return self.base_points + sum(min(tree.leaves) for tree in self.trees)

    @cached_property
    def depth(self) -> int:
        """The longest path, in splits; at least 1."""
        return max(1, max(len(path) for tree in self.trees for _, path in tree.paths()))

    def prove(self, parameters: TreeParameterSet = TREES_8192) -> TreeProof:
        """Raises `PointsOverflow` when the largest total does not fit, `ImportRefused` for too deep or too many."""
        leaves = sum(len(tree.leaves) for tree in self.trees)
        if self.depth > MAX_TREE_DEPTH:
            raise ImportRefused(f"a tree is {self.depth} deep; fit with max_depth={MAX_TREE_DEPTH} or less")
        if leaves > MAX_TREE_LEAVES:
            raise ImportRefused(f"{leaves} leaves, {MAX_TREE_LEAVES} fit; use fewer or shallower trees")
        spans = tuple(max(tree.leaves) - min(tree.leaves) for tree in self.trees)
        limit = parameters.score_modulus - 1
        if sum(spans) > limit:
            raise PointsOverflow(sum(spans), limit)
        return TreeProof(parameters.name, spans, sum(spans), limit, self.depth, leaves)

    def shape(self, parameters: TreeParameterSet = TREES_8192) -> TreeShape:
        """What the data side learns of the model: the depth, and a power of two the leaves stay below."""
        proof = self.prove(parameters)
        return TreeShape(proof.depth, packing_for(parameters, proof.leaves))

    def columns(self) -> NDArray[np.int64]:
        """Path costs by layout index and leaf, shape (D, leaves): what being in that cell adds to that leaf's cost."""
        layout, at = self.catalogue.layout, 0
        costs = np.zeros((layout.size, sum(len(tree.leaves) for tree in self.trees)), np.int64)
        for tree in self.trees:
            sides = {node: self._goes_left(split) for node, split in enumerate(tree.splits) if split is not None}
            for _, path in tree.paths():
                for node, went_left in path:
                    start, left = sides[node]
                    costs[start : start + left.size, at] += left != went_left
                at += 1
        return costs

    def plaintexts(self, parameters: TreeParameterSet = TREES_8192) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What is encrypted: packed columns, shape (ciphertexts, N), and leaves, shape (N,), modulo t.

        The leaves carry score_step points each and the 1/d! of the selecting polynomial. Raises as `prove`.
        """
        shape, t = self.shape(parameters), parameters.plain_modulus
        points = np.array([p - min(tree.leaves) for tree in self.trees for p in tree.leaves], np.int64)
        scale = parameters.score_step * pow(math.factorial(shape.depth), -1, t) % t
        return (
            pack_columns(parameters, self.columns(), shape.packing),
            spread_leaves(parameters, points * scale % t, shape.packing),
        )

    def score_cells(self, cells: Sequence[int]) -> int:
        """The plaintext twin: what the service answers for these cells, one for each feature of the catalogue."""
        features = self.catalogue.features
        if len(cells) != len(features):
            raise InputError(f"give {len(features)} cells, one for each feature of the catalogue")
        for feature, cell in zip(features, cells, strict=True):
            if not 0 <= cell < len(feature.cells):
                raise InputError(f"{feature.code}: has cells 0 to {len(feature.cells) - 1}")
        chosen = {feature.code: int(cell) for feature, cell in zip(features, cells, strict=True)}
        return self.base_points + sum(tree.evaluate(chosen) for tree in self.trees)

    def _goes_left(self, split: Split) -> tuple[int, NDArray[np.bool_]]:
        """(first layout index of the feature, for each of its cells whether it goes left)."""
        count = len(self.catalogue.feature(split.feature).cells)
        left = np.zeros(count, np.bool_)
        left[list(split.left)] = True
        return self.catalogue.layout.index(split.feature, 0), left

    def __repr__(self) -> str:
        return f"TreeModel({self.name!r}, {len(self.trees)} trees on {self.catalogue.reference}, **redacted**)"
