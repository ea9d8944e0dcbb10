"""Gradient-boosted trees on codes: LightGBM grows them, here they become cells and whole points.

What LightGBM sees is one column a feature with the number of the value cell, empty where there is no value, and one
column of zeros and ones for each cell without a value that is frequent enough to be judged by itself. Its thresholds
lie between cells, so the trees are taken over exactly; only leaves are rounded.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CellKind
from xinyidai.parameters import MAX_TREE_DEPTH, MAX_TREE_LEAVES

from bank_sdk.errors import InputError
from bank_sdk.fit import rounding
from bank_sdk.fit.additive import NO_VALUE, Monotone, Numbers, Unseen, monotone_signs
from bank_sdk.fit.codes import Cells, Codes, leaves_of, read_codes, score_codes, take
from bank_sdk.fit.parity import ParityReport, decile_cuts, parity_report
from bank_sdk.fit.train import DEFAULT_SCALE, split_rows
from bank_sdk.metrics import checked_outcome
from bank_sdk.models.importers import lightgbm as reader
from bank_sdk.models.importers.source import RawFile
from bank_sdk.models.importers.trees import Leaf, Node, ordered
from bank_sdk.models.importers.trees import Split as Cut
from bank_sdk.models.scale import Scale
from bank_sdk.models.trees import Split, Tree, TreeModel, TreeProof


@dataclass(frozen=True, slots=True)
class TreeOptions:
    rounds: int = 100
    """Trees at most."""
    depth: int = 3
    """Levels of a tree, 1 to 5; the cost under encryption grows with trees times two to this."""
    learning_rate: float = 0.1
    l2: float = 1.0
    """Ridge penalty of a leaf."""
    min_rows: int = 20
    """Least rows in a leaf, and in a cell that is no value to be judged by itself."""
    subsample: float = 1.0
    """Share of the rows drawn, without replacement, for each tree."""
    columns: float = 1.0
    """Share of the features drawn for each tree."""

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= MAX_TREE_DEPTH or not 1 <= self.rounds <= MAX_TREE_LEAVES >> self.depth:
            raise InputError(f"depth is 1 to {MAX_TREE_DEPTH}, and rounds times 2^depth at most {MAX_TREE_LEAVES}")


@dataclass(frozen=True, slots=True)
class TrainedTrees:
    """An ensemble fitted on codes, with what is needed to judge it. Printing shows no split or leaf."""

    model: TreeModel
    scale: Scale
    proof: TreeProof = field(repr=False)
    parity: ParityReport
    """The whole points against the trees before rounding, on the rows held out."""
    assumed: tuple[tuple[str, CellKind], ...]
    """Cells training saw too few rows of, which go where the argument `unseen` says."""

    def score(self, codes: Codes | NDArray[Any] | Any) -> Cells:
        """Integer scores of rows of cells, exactly what the service answers for them."""
        return score_codes(self.model, read_codes(codes, self.model.catalogue))


def train_trees(
    codes: Codes | NDArray[Any] | Any,
    outcome: Sequence[int] | NDArray[Any],
    catalogue: Catalogue,
    *,
    name: str | None = None,
    scale: Scale = DEFAULT_SCALE,
    monotone: Monotone = None,
    unseen: Unseen = "neutral",
    holdout: float = 0.3,
    seed: int = 0,
    options: TreeOptions | None = None,
) -> TrainedTrees:
    """Fit gradient-boosted trees of up to five levels on cells of the public grid; needs the extra `trees`.

    The arguments are those of `train_on_codes`. `monotone` holds for every value cell, in the whole points. `unseen`:
    at each split "neutral" sends a cell too rare to judge where more rows go, "worst" where the score is lower on
    average. Leaves are rounded one tree after the other, each making up for what those before left over, so that
    rounding does not grow with the number of trees. The same arguments give the same model on the same machine.
    Raises `InputError`, `UnknownFeature`, or `PointsOverflow` (take a smaller PDO, or fewer rounds).
    """
    chosen = options or TreeOptions()
    columns = read_codes(codes, catalogue)
    bad = checked_outcome(outcome, next(iter(columns.values())).size)
    if unseen not in ("neutral", "worst"):
        raise InputError('unseen is "neutral" or "worst"')
    signs = monotone_signs(monotone, catalogue, columns)
    train, held_out = split_rows(bad, holdout, seed)
    known, good = take(columns, train), 1 - bad[train]
    design = _Design.judge(known, catalogue, chosen.min_rows)
    intercept = float(np.log(good.mean() / (1 - good.mean())))
    booster = _grow(design, known, good, intercept, signs, seed, chosen)
    trees = [design.tree(tree, known, unseen) for tree in _trees_of(booster)]
    label = name or f"trees on {catalogue.reference}"
    base = scale.offset + scale.factor * intercept
    model = rounding.to_points(trees, known, catalogue, scale.factor, base, signs, label)
    proof = model.prove()
    rows = take(columns, held_out)
    raw = intercept + booster.predict(design.matrix(rows), raw_score=True)
    parity = parity_report(
        model,
        rows,
        scale.offset + scale.factor * np.asarray(raw, np.float64),
        outcome=bad[held_out],
        cuts=decile_cuts(score_codes(model, known)),
        higher_is=scale.higher_is,
        sample=f"held out: {held_out.size} of {bad.size} rows, seed {seed}",
    )
    return TrainedTrees(model, scale, proof, parity, design.assumed)


def _grow(
    design: "_Design",
    codes: Codes,
    good: Numbers,
    intercept: float,
    signs: Mapping[str, int],
    seed: int,
    options: TreeOptions,
) -> Any:
    try:
        import lightgbm
    except ModuleNotFoundError as error:
        raise InputError("fitting trees needs LightGBM: pip install 'xinyidai-bank-sdk[trees]'") from error
    settings = {
        "objective": "binary",
        # The average stands in the intercept, which is rounded with the base points.
        "boost_from_average": False,
        "num_leaves": 1 << options.depth,
        "max_depth": options.depth,
        "learning_rate": options.learning_rate,
        "lambda_l2": options.l2,
        "min_data_in_leaf": options.min_rows,
        "bagging_fraction": options.subsample,
        "bagging_freq": int(options.subsample < 1),
        "feature_fraction": options.columns,
        "monotone_constraints": [signs[code] if kind is None else 0 for code, kind in design.columns],
        # A bin a cell: nothing is merged before it is looked at.
        "max_bin": max(255, *(len(design.catalogue.feature(code).cells) for code, _ in design.columns)),
        "min_data_in_bin": 1,
        "feature_pre_filter": False,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }
    data = lightgbm.Dataset(
        design.matrix(codes), good, init_score=np.full(good.size, intercept), feature_name=design.names
    )
    return lightgbm.train(settings, data, options.rounds)


def _trees_of(booster: Any) -> list[list[Node]]:
    """By the reader of its public format. Names of columns come back as they were given."""
    ensemble = reader.read_ensemble(RawFile(booster.model_to_string().encode(), "LightGBM"))
    return [ordered(tree) for tree in ensemble.trees]


@dataclass(frozen=True, slots=True)
class _Design:
    """Columns of the training matrix: (feature, None) is the number of its value cell, (feature, kind) whether it is
    in the cell of that kind."""

    catalogue: Catalogue
    columns: tuple[tuple[str, CellKind | None], ...]
    assumed: tuple[tuple[str, CellKind], ...]

    @classmethod
    def judge(cls, codes: Codes, catalogue: Catalogue, min_rows: int) -> "_Design":
        columns: list[tuple[str, CellKind | None]] = []
        assumed: list[tuple[str, CellKind]] = []
        for code, cells in codes.items():
            columns.append((code, None))
            for at, kind in enumerate(NO_VALUE):
                if np.count_nonzero(cells == catalogue.feature(code).missing + at) < min_rows:
                    assumed.append((code, kind))
                elif kind is not CellKind.MISSING:
                    columns.append((code, kind))
        return cls(catalogue, tuple(columns), tuple(assumed))

    @property
    def names(self) -> list[str]:
        """LightGBM does not take every character in a name."""
        return [f"c{at}" for at in range(len(self.columns))]

    def matrix(self, codes: Codes) -> Numbers:
        found = []
        for code, kind in self.columns:
            cells, first = codes[code], self.catalogue.feature(code).missing
            if kind is None:
                found.append(np.where(cells < first, cells.astype(np.float64), math.nan))
            else:
                found.append((cells == first + NO_VALUE.index(kind)).astype(np.float64))
        return np.column_stack(found)

    def tree(self, nodes: list[Node], codes: Codes, unseen: Unseen) -> rounding.Grown:
        """On cells. Cells too rare to judge are placed by the rows that training saw on either side."""
        splits = [self._split(node) if isinstance(node, Cut) else None for node in nodes]
        left = tuple(node.left if isinstance(node, Cut) else 0 for node in nodes)
        right = tuple(node.right if isinstance(node, Cut) else 0 for node in nodes)
        values = [node.value if isinstance(node, Leaf) else 0.0 for node in nodes]
        grown = Tree(tuple(splits), left, right, (0,) * len(nodes))
        rows = np.bincount(leaves_of(grown, codes, self.catalogue), minlength=len(nodes)).astype(np.float64)
        sums = rows * values
        for at in reversed(range(len(nodes))):
            if splits[at] is not None:
                rows[at] = rows[left[at]] + rows[right[at]]
                sums[at] = sums[left[at]] + sums[right[at]]
        means = sums / np.maximum(rows, 1)
        judged = means if unseen == "worst" else -rows
        placed = []
        for at, (node, split) in enumerate(zip(nodes, splits, strict=True)):
            goes_left = bool(judged[left[at]] <= judged[right[at]])
            placed.append(self._placed(node, split, goes_left) if isinstance(node, Cut) and split else split)
        return rounding.Grown(Tree(tuple(placed), left, right, grown.points), tuple(values))

    def _split(self, node: Cut) -> Split:
        code, kind = self.columns[int(node.feature.removeprefix("c"))]
        feature = self.catalogue.feature(code)
        if kind is None:
            values = feature.missing if math.isinf(node.edge) else min(feature.missing, math.ceil(node.edge))
            nowhere = range(feature.missing, len(feature.cells)) if node.missing_left else ()
            return Split(code, frozenset({*range(values), *nowhere}))
        own = feature.missing + NO_VALUE.index(kind)
        others = {cell for cell in range(len(feature.cells)) if cell != own}
        return Split(code, frozenset((others if node.edge > 0 else set()) | ({own} if node.edge > 1 else set())))

    def _placed(self, node: Cut, split: Split, goes_left: bool) -> Split:
        if self.columns[int(node.feature.removeprefix("c"))][1] is not None:
            return split
        first = self.catalogue.feature(split.feature).missing
        rare = {first + NO_VALUE.index(kind) for code, kind in self.assumed if code == split.feature}
        return Split(split.feature, split.left | rare if goes_left else split.left - rare)
