"""LightGBM models: the text of `save_model` and the JSON of `dump_model`."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from bank_sdk.errors import FileMalformed, UnsupportedElement, UnsupportedObjective
from bank_sdk.models.importers.edges import after, float32
from bank_sdk.models.importers.ensembles import Ensemble, additive
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.lightgbm_text import parse_text
from bank_sdk.models.importers.source import Item, RawFile, Readable, finite, parse_json, read
from bank_sdk.models.importers.trees import CategorySplit, Leaf, Node, Split, Tree

_ZERO: Final = float32(1e-35)
"""kZeroThreshold: with missing type Zero, numbers this close to 0 are missing."""
_UNNAMED: Final = ("?",)
_INFINITE: Final = 1e300
_MAX_LABELS: Final = 1024
_MAX_CATEGORIES: Final = 1 << 16


def from_lightgbm(model: Readable) -> Import:
    """A binary model whose trees ask about one feature each, as text or JSON, by path or bytes.

    Exact: `<=` thresholds, the missing types None (missing is 0), Zero (0 is missing) and NaN, categories by pandas'
    names or by number, `sigmoid`, `average_output`. Raises `NotAdditive`, `UnsupportedObjective`, `UnsupportedElement`
    or `FileMalformed`.
    """
    return read_file(read(model))


def read_file(file: RawFile) -> Import:
    return additive(read_ensemble(file))


def read_ensemble(file: RawFile) -> Ensemble:
    text = file.raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:4] == b"tree"
    document = Item(parse_text(file) if text else parse_json(file), file.name)
    sigmoid = _sigmoid(document)
    features = _Features.read(document)
    trees = [_tree(item, features) for item in document["tree_info"].items()]
    averaged = document.get("average_output")
    factor = sigmoid / len(trees) if averaged is not None and averaged.value is True and trees else sigmoid
    notes = (f"average_output: the sum is divided by {len(trees)} trees",) if factor != sigmoid else ()
    source = file.source("lightgbm text" if text else "lightgbm json", f"lightgbm {document['version'].text()[:20]}")
    return Ensemble(source, trees, 0.0, factor, notes)


def _sigmoid(document: Item) -> float:
    """Raw scores times this are log-odds."""
    classes, found = document["num_class"].whole(0, 10**6), document.get("objective")
    words = [] if found is None else found.text().split()
    if classes != 1 or words[:1] != ["binary"]:
        raise UnsupportedObjective(
            f"objective {' '.join(words)[:60] or 'custom'!r} with {classes} outputs gives no log-odds of two classes",
            place=f"{document.place}.objective",
            mend='train with objective="binary"',
        )
    settings = dict(word.partition(":")[::2] for word in words[1:])
    sigmoid = finite(settings.get("sigmoid", "1"), f"{document.place}.objective")
    if sigmoid <= 0:
        raise FileMalformed("sigmoid must be above 0", place=f"{document.place}.objective")
    return sigmoid


@dataclass(frozen=True, slots=True)
class _Features:
    names: list[str]
    labels: dict[int, list[str]]
    """Of a categorical feature: the label of each category number. Empty where only numbers are known."""

    @classmethod
    def read(cls, document: Item) -> "_Features":
        names = [item.text() for item in document["feature_names"].items()]
        if len(set(names)) != len(names):
            document["feature_names"].malformed("names a feature twice")
        infos = document["feature_infos"].value
        categorical = [at for at, name in enumerate(names) if _is_categorical(infos, at, name)]
        found = document.get("pandas_categorical")
        lists = [] if found is None or found.value is None else [_labels(item) for item in found.items()]
        if lists and len(lists) != len(categorical):
            # Which list belongs to which feature is known by counting only.
            return cls(names, {at: list(_UNNAMED) for at in range(len(names))})
        return cls(names, dict(zip(categorical, lists, strict=False)))

    def name(self, at: Item) -> str:
        return self.names[at.whole(0, len(self.names) - 1)]

    def categories(self, feature: int, numbers: list[int], place: str) -> tuple[frozenset[str], tuple[str, ...]]:
        """Labels of category numbers, and all labels of the feature."""
        labels = self.labels.get(feature)
        if labels is None:
            members = [str(number) for number in numbers]
            return frozenset(members), tuple(members)
        if labels == list(_UNNAMED) or max(numbers, default=0) >= len(labels):
            raise UnsupportedElement(
                f"the categories of {self.names[feature]} have no names in the file",
                place=place,
                mend="keep pandas_categorical in the file, or train on category numbers",
            )
        return frozenset(labels[number] for number in numbers), tuple(labels)


def _is_categorical(infos: Any, at: int, name: str) -> bool:
    """Text gives [min:max], none or numbers joined by colons; JSON gives the values of a category and none else."""
    if isinstance(infos, Mapping):
        info = infos.get(name)
        return isinstance(info, Mapping) and bool(info.get("values"))
    if isinstance(infos, list) and at < len(infos) and isinstance(infos[at], str):
        return not infos[at].startswith("[") and infos[at] != "none"
    return False


def _labels(item: Item) -> list[str]:
    found = []
    for entry in item.items():
        if not isinstance(entry.value, str | int | float) or isinstance(entry.value, bool):
            entry.malformed("is no category")
        found.append(entry.value if isinstance(entry.value, str) else json.dumps(entry.value))
    if len(found) > _MAX_LABELS:
        item.malformed(f"has more than {_MAX_LABELS} categories")
    return found


def _tree(tree: Item, features: _Features) -> Tree:
    """Nodes in the order they are met; a file's own numbers of nodes are not used."""
    nodes: list[Node | None] = [None]
    stack = [(tree["tree_structure"], 0)]
    while stack:
        item, at = stack.pop()
        if item.get("split_feature") is None:
            nodes[at] = _leaf(item)
            continue
        left, right = len(nodes), len(nodes) + 1
        nodes += [None, None]
        nodes[at] = _split(item, features, left, right)
        stack += [(item["right_child"], right), (item["left_child"], left)]
    return Tree([node for node in nodes if node is not None], tree.place)


def _leaf(item: Item) -> Leaf:
    if any(item.get(key) is not None for key in ("leaf_const", "leaf_coeff", "leaf_features")):
        _linear(item.place)
    return Leaf(item["leaf_value"].number())


def _linear(place: str) -> NoReturn:
    raise UnsupportedElement(
        "leaves hold linear models (linear_tree)", place=place, mend="train with linear_tree=false"
    )


def _split(item: Item, features: _Features, left: int, right: int) -> Split | CategorySplit:
    name, kind = features.name(item["split_feature"]), item["decision_type"].text()
    if kind == "==":
        numbers = _numbers(item["threshold"])
        members, vocabulary = features.categories(item["split_feature"].whole(0, 10**6), numbers, item.place)
        return CategorySplit(name, members, vocabulary, left, right)
    if kind != "<=":
        item["decision_type"].malformed(f"{kind[:20]!r} is neither <= nor ==")
    edge, missing = _edge(item["threshold"]), item["missing_type"].text()
    default_left = item["default_left"].value is True
    if missing == "None":
        return Split(name, edge, left, right, missing_left=edge > 0)
    if missing == "Zero":
        return Split(name, edge, left, right, default_left, (-_ZERO, after(_ZERO)))
    if missing != "NaN":
        item["missing_type"].malformed("is not None, Zero or NaN")
    return Split(name, edge, left, right, default_left)


def _edge(threshold: Item) -> float:
    """`x <= threshold` as an edge. A split of missing from all else has the threshold infinity, 1e300 in JSON."""
    value = threshold.value
    return math.inf if isinstance(value, float) and value >= _INFINITE else after(threshold.number())


def _numbers(threshold: Item) -> list[int]:
    parts = str(threshold.value).split("||")
    return [Item(part, threshold.place).whole(0, _MAX_CATEGORIES) for part in parts]


def looks_like(document: Any) -> bool:
    """Whether a parsed JSON document has the shape of a dump."""
    return isinstance(document, Mapping) and "tree_info" in document and "feature_names" in document
