"""Binary trees that ask about one feature are functions of that feature: folded into steps, whatever their depth."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from xinyidai.catalogue import CellKind

from bank_sdk.errors import FileMalformed, NotAdditive, UnsupportedElement
from bank_sdk.models.importers.terms import Characteristic, Step

MAX_TREES: Final = 10_000
MAX_LEVELS: Final = 32
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class Leaf:
    value: float = field(repr=False)


@dataclass(frozen=True, slots=True)
class Split:
    """Numbers below `edge` go to node `left`, the others to `right`."""

    feature: str
    edge: float
    left: int
    right: int
    missing_left: bool
    as_missing: tuple[float, float] | None = None
    """Numbers [lower, upper) that go where missing goes."""


@dataclass(frozen=True, slots=True)
class CategorySplit:
    """Categories in `members` go left, everything else goes right: others, unseen ones and missing."""

    feature: str
    members: frozenset[str]
    vocabulary: tuple[str, ...]
    """All categories the file names for the feature; their numbers when it has no names."""
    left: int
    right: int


Node = Leaf | Split | CategorySplit


@dataclass(frozen=True, slots=True)
class Tree:
    nodes: Sequence[Node]
    """The root first. Untrusted: children may point anywhere."""
    place: str


def fold(trees: Iterable[Tree]) -> tuple[list[Characteristic], float]:
    """A term for every tree that splits, and the sum of the trees that are a single leaf.

    Raises `NotAdditive` when a tree asks about several features, `FileMalformed` when one is no tree.
    """
    terms: list[Characteristic] = []
    constants: list[float] = []
    mixed: list[tuple[str, ...]] = []
    deepest, first = 0, ""
    for count, tree in enumerate(trees, start=1):
        if count > MAX_TREES:
            raise FileMalformed(f"a model has at most {MAX_TREES} trees", place=tree.place)
        names, depth = survey(tree)
        deepest = max(deepest, depth)
        if len(names) > 1:
            first = first or tree.place
            mixed.append(names)
        elif depth > MAX_LEVELS:
            raise FileMalformed(f"a tree has at most {MAX_LEVELS} levels", place=tree.place)
        elif names:
            terms.append(_term(tree, names[0]))
        else:
            root = tree.nodes[0]
            constants += [root.value] if isinstance(root, Leaf) else []
    if mixed:
        raise NotAdditive(deepest, tuple(mixed[:_SHOWN]), place=first)
    return terms, math.fsum(constants)


def survey(tree: Tree) -> tuple[tuple[str, ...], int]:
    """The features of a tree and its depth; every node is met exactly once."""
    names, deepest, met = set[str](), 0, set[int]()
    stack = [(0, 0)]
    while stack:
        at, depth = stack.pop()
        if not 0 <= at < len(tree.nodes) or at in met:
            raise FileMalformed(f"the children of the nodes make no tree at node {at}", place=tree.place)
        met.add(at)
        deepest = max(deepest, depth)
        node = tree.nodes[at]
        if not isinstance(node, Leaf):
            names.add(node.feature)
            stack += [(node.right, depth + 1), (node.left, depth + 1)]
    return tuple(sorted(names)), deepest


def ordered(tree: Tree) -> list[Node]:
    """The nodes that are reached, the root first and children after their parents, with links to match."""
    found: list[Node] = [tree.nodes[0]]
    at = 0
    while at < len(found):
        node = found[at]
        if not isinstance(node, Leaf):
            found[at] = replace(node, left=len(found), right=len(found) + 1)
            found += [tree.nodes[node.left], tree.nodes[node.right]]
        at += 1
    return found


def leaf_of(tree: Tree, row: Mapping[str, float | None]) -> float:
    """What a record gives, by variable; None is missing."""
    node = tree.nodes[0]
    while not isinstance(node, Leaf):
        node = tree.nodes[node.left if _goes_left(node, row.get(node.feature), tree.place) else node.right]
    return node.value


def _term(tree: Tree, name: str) -> Characteristic:
    root = tree.nodes[0]
    if isinstance(root, CategorySplit):
        return _category_term(tree, name, root)
    edges = sorted({edge for node in tree.nodes if isinstance(node, Split) for edge in _edges(node)})
    bounds = [-math.inf, *edges, math.inf]
    # The smallest number of an interval stands for all of it: between two edges every comparison has one answer.
    steps = tuple(Step(lower, upper, _leaf(tree, lower)) for lower, upper in pairwise(bounds))
    cells = MappingProxyType({CellKind.MISSING: _leaf(tree, None)})
    return Characteristic(name, tree.place, steps, {}, cells)


def _edges(node: Split) -> tuple[float, ...]:
    found = (node.edge,) if node.as_missing is None else (node.edge, *node.as_missing)
    return tuple(edge for edge in found if math.isfinite(edge))


def _category_term(tree: Tree, name: str, root: CategorySplit) -> Characteristic:
    labels = {label: _leaf(tree, label) for label in root.vocabulary}
    # A label no file can hold: it is in no set, as an unseen category and a missing one are.
    unseen = _leaf(tree, "\x00")
    cells: Mapping[CellKind, float] = MappingProxyType({CellKind.MISSING: unseen})
    return Characteristic(name, tree.place, (), MappingProxyType(labels), cells, {}, unseen)


def _leaf(tree: Tree, value: float | str | None) -> float:
    node = tree.nodes[0]
    while not isinstance(node, Leaf):
        node = tree.nodes[node.left if _goes_left(node, value, tree.place) else node.right]
    return node.value


def _goes_left(node: Split | CategorySplit, value: float | str | None, place: str) -> bool:
    if isinstance(node, CategorySplit) != isinstance(value, str):
        raise UnsupportedElement(
            f"{node.feature} is used both as a number and as a category", place=place, mend="use it as one of them"
        )
    if isinstance(node, CategorySplit):
        return value in node.members
    if not isinstance(value, float):
        return node.missing_left
    if node.as_missing is not None and node.as_missing[0] <= value < node.as_missing[1]:
        return node.missing_left
    return value < node.edge
