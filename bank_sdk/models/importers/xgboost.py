"""XGBoost models as `save_model` writes them: JSON or UBJSON."""

import math
import re
from collections.abc import Iterator
from typing import Any, Final, Literal

from bank_sdk.errors import UnsupportedObjective
from bank_sdk.models.importers.edges import float32, float32_edge
from bank_sdk.models.importers.ensembles import Ensemble, additive
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.source import Item, RawFile, Readable, finite, parse_json, read
from bank_sdk.models.importers.trees import Leaf, Node, Split, Tree
from bank_sdk.models.importers.ubjson import parse_ubjson

Rounds = Literal["best", "all"]
_OBJECTIVES: Final = ("binary:logistic", "reg:logistic")
_MAX_FEATURES: Final = 100_000


def from_xgboost(model: Readable, *, rounds: Rounds = "best") -> Import:
    """A `gbtree` model with a logistic objective whose trees ask about one feature each, by path or bytes.

    Exact: thresholds in 32-bit floats, `default_left` as the missing cell, leaves, logit of `base_score`. `rounds`:
    "best" stops at `best_iteration` when the file has one, as the scikit-learn interface does; "all" is what
    `Booster.predict` does. Raises `NotAdditive`, `UnsupportedObjective`, `UnsupportedElement` or `FileMalformed`.
    """
    return read_file(read(model), rounds)


def read_file(file: RawFile, rounds: Rounds = "best") -> Import:
    return additive(read_ensemble(file, rounds))


def read_ensemble(file: RawFile, rounds: Rounds = "best") -> Ensemble:
    binary = is_ubjson(file.raw)
    document = Item(parse_ubjson(file) if binary else parse_json(file), file.name)
    return _read(document, file, "xgboost ubjson" if binary else "xgboost json", rounds)


def is_ubjson(raw: bytes) -> bool:
    """An object whose first key has a length in binary, where JSON has a quote or a space."""
    return re.match(rb"\{[iUIlL$#N]", raw) is not None


def _read(document: Item, file: RawFile, format_name: str, rounds: Rounds) -> Ensemble:
    learner = document["learner"]
    _check_objective(learner)
    booster = learner["gradient_booster"]
    kind = booster["name"].text()
    if kind != "gbtree":
        booster["name"].unsupported(
            f"booster {kind!r} is no plain sum of trees" if kind == "dart" else f"booster {kind!r} has no trees",
            'train with booster="gbtree"',
        )
    model = booster["model"]
    trees = list(model["trees"].items())
    if model["gbtree_model_param"]["num_trees"].whole(0, len(trees)) != len(trees):
        model["trees"].malformed("is not as long as num_trees says")
    used, notes = _rounds(learner, model, len(trees), rounds)
    names = _names(learner)
    library = "xgboost " + ".".join(str(part.whole(0, 10**6)) for part in document["version"].items())
    base = _base_margin(learner["learner_model_param"]["base_score"])
    chosen = (_tree(item, names) for item in trees[:used])
    return Ensemble(file.source(format_name, library), chosen, base, 1.0, notes)


def _check_objective(learner: Item) -> None:
    objective = learner["objective"]["name"]
    settings = learner["learner_model_param"]
    classes = settings["num_class"].whole(0, 10**6)
    targets = found.whole(0, 10**6) if (found := settings.get("num_target")) is not None else 1
    if objective.text() not in _OBJECTIVES or classes > 1 or targets != 1:
        raise UnsupportedObjective(
            f"objective {objective.text()[:60]!r}, {max(classes, targets)} outputs, gives no log-odds of two classes",
            place=objective.place,
            mend='train with objective="binary:logistic"',
        )


def _base_margin(base_score: Item) -> float:
    """The probability all trees start from, as a number or, since 3.1, a list of one, both written as text."""
    text = base_score.text().strip()
    value = finite(text[1:-1] if text.startswith("[") and text.endswith("]") else text, base_score.place)
    if not 0 < value < 1:
        base_score.malformed("is no probability")
    # The library holds it as a 32-bit float.
    value = float32(value)
    if not 0 < value < 1:
        base_score.malformed("is no probability")
    return math.log(value / (1 - value))


def _rounds(learner: Item, model: Item, trees: int, rounds: Rounds) -> tuple[int, tuple[str, ...]]:
    best = learner["attributes"].get("best_iteration")
    if best is None or rounds == "all":
        return trees, ()
    last = best.whole(0, 10**6) + 1
    starts = model.get("iteration_indptr")
    if starts is None:
        ends = [at * model["gbtree_model_param"]["num_parallel_tree"].whole(1, trees or 1) for at in range(last + 1)]
    else:
        ends = [item.whole(0, trees) for item in starts.items()]
    if last >= len(ends) or ends[last] > trees:
        best.malformed("lies beyond the trees of the file")
    note = f"early stopping: {ends[last]} of {trees} trees are used (best_iteration {last - 1})"
    return ends[last], () if ends[last] == trees else (note,)


def _names(learner: Item) -> list[str]:
    """As the file has them; a model trained on an array has none, and the library then says f0, f1 and so on."""
    count = learner["learner_model_param"]["num_feature"].whole(0, _MAX_FEATURES)
    listed = learner.get("feature_names")
    names = [] if listed is None else [item.text() for item in listed.items()]
    if not names:
        return [f"f{at}" for at in range(count)]
    if len(names) != count or len(set(names)) != count:
        learner["feature_names"].malformed("does not name every feature once")
    return names


def _tree(tree: Item, names: list[str]) -> Tree:
    columns = _columns(tree)
    if any(columns.split_type):
        tree["split_type"].unsupported(
            "splits on categories, whose codes only the training data explain",
            "one-hot encode them before training, or export PMML",
        )
    nodes: list[Node] = []
    for at, left in enumerate(columns.left):
        condition = float32(columns.conditions[at])
        if math.isinf(condition):
            tree["split_conditions"].malformed(f"node {at} holds a number that is no 32-bit float")
        if left == -1:
            nodes.append(Leaf(condition))
            continue
        feature = columns.features[at]
        if not 0 <= feature < len(names):
            tree["split_indices"].malformed(f"node {at} splits on feature {feature}, which does not exist")
        edge, default_left = float32_edge(condition), bool(columns.default_left[at])
        nodes.append(Split(names[feature], edge, left, columns.right[at], default_left))
    return Tree(nodes, tree.place)


class _Columns:
    """The arrays of a tree, one entry a node."""

    def __init__(self, tree: Item) -> None:
        self.left = _integers(tree["left_children"])
        size = len(self.left)
        self.right = _integers(tree["right_children"], size)
        self.features = _integers(tree["split_indices"], size)
        self.default_left = _integers(tree["default_left"], size)
        self.split_type = _integers(tree["split_type"], size) if tree.get("split_type") is not None else [0] * size
        self.conditions = [item.number() for item in _sized(tree["split_conditions"], size)]
        if not size:
            tree.malformed("has no node")


def _columns(tree: Item) -> _Columns:
    parameters = tree["tree_param"].get("size_leaf_vector")
    if parameters is not None and parameters.whole(0, 10**6) > 1:
        parameters.unsupported("leaves hold vectors", "train one output")
    return _Columns(tree)


def _integers(column: Item, size: int | None = None) -> list[int]:
    return [item.whole(-(2**31), 2**31) for item in _sized(column, size)]


def _sized(column: Item, size: int | None) -> Iterator[Item]:
    values: Any = column.value
    if size is not None and isinstance(values, list) and len(values) != size:
        column.malformed(f"has {len(values)} entries for {size} nodes")
    return column.items()
