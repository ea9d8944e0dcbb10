"""Tree ensembles of other tools as tree ensembles here: their cut points on the public grid, their leaves in points."""

import hashlib
import json
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any, Final

from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature
from xinyidai.parameters import MAX_TREE_DEPTH

from bank_sdk.errors import (
    FileMalformed,
    ImportRefused,
    InputError,
    MissingPolicyRequired,
    PlanMismatch,
    UnknownFeature,
    UnknownFormat,
    UnsupportedElement,
)
from bank_sdk.models import trees as ours
from bank_sdk.models.importers import lightgbm, xgboost
from bank_sdk.models.importers.ensembles import Ensemble
from bank_sdk.models.importers.grid_edges import EdgeRule, GridEdges, Ledger, Options
from bank_sdk.models.importers.imports import Positive, points_line
from bank_sdk.models.importers.report import LostBin, TreeReport
from bank_sdk.models.importers.source import Readable, Source, read
from bank_sdk.models.importers.terms import Value
from bank_sdk.models.importers.trees import MAX_TREES, Leaf, Node, Split, Tree, leaf_of, ordered, survey
from bank_sdk.models.importers.xgboost import Rounds
from bank_sdk.models.scale import Scale
from bank_sdk.models.tables import Rounding

_UNKNOWN: Final = (CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED)
"""Cells no other tool knows."""


def trees_from_xgboost(model: Readable, *, rounds: Rounds = "best") -> "TreeImport":
    """A `gbtree` model with a logistic objective, by path or bytes, with trees of up to 5 levels over any features.

    What is exact, and `rounds`: see `from_xgboost`. Raises `UnsupportedObjective`, `UnsupportedElement`,
    `FileMalformed` or `UnsafeFormat`.
    """
    return _import(xgboost.read_ensemble(read(model), rounds))


def trees_from_lightgbm(model: Readable) -> "TreeImport":
    """A binary model as text or JSON, by path or bytes, likewise; what is exact: see `from_lightgbm`."""
    return _import(lightgbm.read_ensemble(read(model)))


def load_trees(source: Readable) -> "TreeImport":
    """An XGBoost or LightGBM file, told apart by content. Raises `UnknownFormat` for any other."""
    file = read(source)
    if xgboost.is_ubjson(file.raw) or b'"learner"' in file.raw:
        return _import(xgboost.read_ensemble(file))
    if file.raw.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"tree") or b'"tree_info"' in file.raw:
        return _import(lightgbm.read_ensemble(file))
    mend = "give XGBoost JSON or UBJSON, or LightGBM text or JSON; load_any reads additive models"
    raise UnknownFormat("no file of trees that is read", place=file.name, mend=mend)


def _import(ensemble: Ensemble) -> "TreeImport":
    return TreeImport(ensemble.source, tuple(_bounded(ensemble.trees)), ensemble.base, ensemble.factor, ensemble.notes)


def _bounded(trees: Iterable[Tree]) -> Iterable[Tree]:
    for count, tree in enumerate(trees, start=1):
        if count > MAX_TREES:
            raise FileMalformed(f"a model has at most {MAX_TREES} trees", place=tree.place)
        _, depth = survey(tree)
        if depth > MAX_TREE_DEPTH:
            mend = f"train with max_depth={MAX_TREE_DEPTH} or less"
            raise UnsupportedElement(f"a tree is {depth} levels deep", place=tree.place, mend=mend)
        named = next((node for node in tree.nodes if not isinstance(node, Leaf | Split)), None)
        if named is not None:
            mend = "one-hot encode them before training, or refit on the catalogue's cells with train_trees"
            raise UnsupportedElement(f"{named.feature} is split by categories", place=tree.place, mend=mend)
        yield tree


@dataclass(frozen=True, repr=False)
class TreeImport:
    """An ensemble as its source states it: exact cut points, exact leaves, nothing rounded yet.

    The values are the bank's secret: printing shows none.
    """

    source: Source
    trees: tuple[Tree, ...]
    base: float
    factor: float
    """Log-odds of the class the model predicts are `base` plus this times the sum of the leaves."""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.edges:
            raise ImportRefused("the model uses no variable", place=self.source.name or self.source.format)

    @cached_property
    def edges(self) -> Mapping[str, tuple[float, ...]]:
        """Cut points by variable, as exact doubles: what to propose for the next version of a grid."""
        found: dict[str, set[float]] = {}
        for tree in self.trees:
            for node in tree.nodes:
                if isinstance(node, Split):
                    found.setdefault(node.feature, set()).update(_cuts(node))
        return {name: tuple(sorted(cuts)) for name, cuts in sorted(found.items())}

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of everything that makes the score."""
        trees = [[_canonical(node) for node in ordered(tree)] for tree in self.trees]
        document = ["trees", float(self.base).hex(), float(self.factor).hex(), trees]
        return hashlib.sha256(json.dumps(document).encode()).hexdigest()

    def value(self, row: Mapping[str, Value]) -> float:
        """The source model itself, in log-odds and unrounded; a variable left out, None and NaN are missing."""
        known = {name: _number(name, row.get(name)) for name in self.edges}
        return self.base + self.factor * math.fsum(leaf_of(tree, known) for tree in self.trees)

    def plan(
        self,
        catalogue: Catalogue,
        *,
        scale: Scale | None = None,
        positive: Positive | None = None,
        edges: EdgeRule = "exact",
        points: Rounding = "refuse",
        features: Mapping[str, str] | None = None,
        not_applicable: str = "require",
        not_authorized: str = "require",
        steps: Mapping[str, float] | None = None,
        sample: Any = None,
    ) -> TreeReport:
        """A dry run, with the arguments of `Import.plan`. Missing goes where the file says; `not_applicable` and
        `not_authorized` can only be said to go "as_missing". Raises a `ScorecardError`."""
        options = Options(features or {}, {}, {}, edges, points, {}, "require", steps or {}, sample)
        factor, offset = points_line(self.source, scale, positive)
        said = {CellKind.NOT_APPLICABLE: not_applicable, CellKind.NOT_AUTHORIZED: not_authorized}
        return _Conversion(self, catalogue, options, factor * self.factor, said).report(
            offset + factor * self.base, scale
        )

    def to_trees(self, plan: TreeReport, *, name: str | None = None) -> ours.TreeModel:
        """Raises `PlanMismatch` for a plan of another import, `EdgeNotOnGrid` when the plan is blocked."""
        if plan.import_digest != self.digest:
            raise PlanMismatch("the plan was made for another import", mend="call plan() of this one")
        if plan.blocked:
            raise plan.blocked[0]
        title = name or self.source.name or self.source.format
        return ours.TreeModel(title[:128], plan.catalogue, plan.trees, plan.base_points)

    def __repr__(self) -> str:
        return f"TreeImport({self.source.format!r}, {len(self.trees)} trees, **redacted**)"


@dataclass
class _Conversion:
    """Every cut point once onto the grid, then every tree with its leaves in points."""

    source: TreeImport
    catalogue: Catalogue
    options: Options
    factor: float
    """From a leaf to points."""
    said: Mapping[CellKind, str]
    ledger: Ledger = field(default_factory=Ledger)
    bound: float = 0.0

    def report(self, base: float, scale: Scale | None) -> TreeReport:
        feature_of = {name: self._feature(name) for name in self.source.edges}
        if len({feature.code for feature in feature_of.values()}) != len(feature_of):
            raise InputError("two variables are mapped to one feature of the catalogue")
        jumps = _jumps(self.source.trees)
        moved = {name: self._moved(name, feature, jumps) for name, feature in feature_of.items()}
        trees, constant = [], 0.0
        for tree in self.source.trees:
            if isinstance(root := tree.nodes[0], Leaf):
                constant += self.factor * root.value
            else:
                trees.append(self._tree(tree, feature_of, moved))
        base_points = self.ledger.whole("", "base_points", base + constant, self.options.rounding)
        self.bound += abs(base_points - base - constant)
        for feature in feature_of.values():
            for kind in _UNKNOWN:
                self.ledger.notes.append(f"{feature.code}: the {kind} cell goes where missing goes, as asked for")
        return TreeReport(
            source=self.source.source,
            import_digest=self.source.digest,
            catalogue=self.catalogue,
            edges=tuple(self.ledger.edges),
            lost_bins=tuple(self.ledger.lost_bins),
            rounded=tuple(self.ledger.rounded),
            policies=(),
            notes=(*self.source.notes, *self.ledger.notes),
            blocked=tuple(self.ledger.blocked),
            rounding_bound=self.bound,
            base_points=base_points,
            scale=scale,
            trees=tuple(trees),
        )

    def _feature(self, name: str) -> Feature:
        code = self.options.features.get(name, name)
        try:
            feature = self.catalogue.feature(code)
        except CatalogueError as error:
            raise UnknownFeature(code) from error
        for kind in _UNKNOWN:
            if self.said[kind] != "as_missing":
                raise MissingPolicyRequired(code, kind, f'trees know no such cell; say {kind}="as_missing"')
        return feature

    def _moved(self, name: str, feature: Feature, jumps: Mapping[tuple[str, float], float]) -> dict[float, int]:
        """Of each cut point, how many value cells lie below it."""
        place = next(tree.place for tree in self.source.trees if any(_asks(node, name) for node in tree.nodes))
        grid = GridEdges(feature, name, place, self.options, self.ledger)
        cuts = self.source.edges[name]
        edges = [grid.find(cut, math.ceil(abs(self.factor) * jumps[name, cut])) for cut in cuts]
        pairs = pairwise(zip(cuts, edges, strict=True))
        same = [(lower, upper) for (lower, first), (upper, second) in pairs if first == second]
        self.ledger.lost_bins += [LostBin(name, feature.code, lower, upper) for lower, upper in same]
        return {cut: bisect_left(feature.grid, edge) + 1 for cut, edge in zip(cuts, edges, strict=True)}

    def _tree(
        self, tree: Tree, feature_of: Mapping[str, Feature], moved: Mapping[str, Mapping[float, int]]
    ) -> ours.Tree:
        rows: list[tuple[ours.Split | None, int, int, int]] = []
        largest = 0.0
        for at, node in enumerate(ordered(tree)):
            if isinstance(node, Split):
                rows.append((_split(node, feature_of[node.feature], moved), node.left, node.right, 0))
            elif isinstance(node, Leaf):
                exact = self.factor * node.value
                points = self.ledger.whole(tree.place, f"node {at}", exact, self.options.rounding)
                largest = max(largest, abs(points - exact))
                rows.append((None, 0, 0, points))
        self.bound += largest
        return ours.Tree(*zip(*rows, strict=True))


def _split(node: Split, feature: Feature, moved: Mapping[str, Mapping[float, int]]) -> ours.Split:
    below, values = moved[node.feature], feature.missing
    left = set(range(below[node.edge] if math.isfinite(node.edge) else values))
    if node.as_missing is not None and _apart(node):
        away = set(range(below[node.as_missing[0]], below[node.as_missing[1]]))
        left = left | away if node.missing_left else left - away
    if node.missing_left:
        left |= {feature.missing, feature.not_applicable, feature.not_authorized}
    return ours.Split(feature.code, frozenset(left))


def _cuts(node: Split) -> tuple[float, ...]:
    """Finite cut points. Numbers that go where missing goes have two of their own, unless they go there anyway."""
    cuts = [node.edge] if math.isfinite(node.edge) else []
    if node.as_missing is not None and _apart(node):
        cuts += node.as_missing
    return tuple(cuts)


def _apart(node: Split) -> bool:
    """Whether numbers taken for missing go another way than their size says."""
    lower, upper = node.as_missing or (0.0, 0.0)
    alike = upper <= node.edge if node.missing_left else node.edge <= lower
    return not alike


def _asks(node: Node, name: str) -> bool:
    return isinstance(node, Split) and node.feature == name


def _jumps(trees: Iterable[Tree]) -> dict[tuple[str, float], float]:
    """By variable and cut point: the spans of the trees that use it, added up."""
    found: dict[tuple[str, float], float] = {}
    for tree in trees:
        leaves = [node.value for node in tree.nodes if isinstance(node, Leaf)]
        span = max(leaves) - min(leaves)
        for key in {(node.feature, cut) for node in tree.nodes if isinstance(node, Split) for cut in _cuts(node)}:
            found[key] = found.get(key, 0.0) + span
    return found


def _canonical(node: Node) -> list[Any]:
    if isinstance(node, Split):
        return [node.feature, node.left, node.right, [cut.hex() for cut in _cuts(node)], node.missing_left]
    return [float(node.value).hex() if isinstance(node, Leaf) else node.feature]


def _number(name: str, value: Value) -> float | None:
    if value is None or value is CellKind.MISSING:
        return None
    if isinstance(value, str):
        raise InputError(f"{name}: the source gives no value for {value!r}")
    return None if math.isnan(value) else float(value)
