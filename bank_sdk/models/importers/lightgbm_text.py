"""LightGBM's text format as the document `dump_model` would give, so that there is one reader of trees."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from bank_sdk.errors import FileMalformed, UnsupportedElement
from bank_sdk.models.importers.source import MAX_DEPTH, MAX_VALUES, Item, RawFile, finite, parse_json
from bank_sdk.models.importers.trees import MAX_TREES

_MISSING: Final = ("None", "Zero", "NaN")
_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_WORD: Final = 32

Fields = Mapping[str, str]


def parse_text(file: RawFile) -> dict[str, Any]:
    """Raises `FileMalformed`, and `UnsupportedElement` for linear trees."""
    lines = file.text().splitlines()
    if len(lines) > MAX_VALUES:
        raise FileMalformed(f"has more than {MAX_VALUES} lines", place=file.name)
    blocks, end = _blocks(lines, file.name)
    header = blocks[0][1]
    # The last lines hold the parameters, which have a form of their own.
    categorical = next((line for line in reversed(lines[end:]) if line.startswith("pandas_categorical:")), None)
    labels = None if categorical is None else RawFile(categorical.partition(":")[2].encode(), file.name)
    return {
        "version": header.get("version", ""),
        "num_class": header.get("num_class", ""),
        "objective": header.get("objective", ""),
        "average_output": "average_output" in header,
        "feature_names": header.get("feature_names", "").split(),
        "feature_infos": header.get("feature_infos", "").split(),
        "tree_info": [{"tree_structure": _tree(fields, place)} for place, fields in blocks[1:]],
        "pandas_categorical": None if labels is None else parse_json(labels),
    }


def _blocks(lines: Sequence[str], name: str) -> tuple[list[tuple[str, Fields]], int]:
    """The header and the trees, each with its place, and the line after which there are no more."""
    blocks: list[tuple[str, dict[str, str]]] = [(name, {})]
    for at, line in enumerate(lines):
        key, _, value = line.strip().partition("=")
        if key == "end of trees":
            return list(blocks), at
        if key == "Tree":
            if len(blocks) > MAX_TREES:
                raise FileMalformed(f"a model has at most {MAX_TREES} trees", place=name)
            blocks.append((f"{name}, line {at + 1}, Tree={value[:12]}", {}))
        elif key:
            place, fields = blocks[-1]
            if key in fields:
                raise FileMalformed(f"{key[:40]!r} stands twice", place=place)
            fields[key] = value
    raise FileMalformed("the file ends too early: no end of trees", place=name)


def _tree(fields: Fields, place: str) -> dict[str, Any]:
    if fields.get("is_linear", "0") != "0":
        raise UnsupportedElement(
            "leaves hold linear models (linear_tree)", place=place, mend="train with linear_tree=false"
        )
    words, count = _words(fields, "leaf_value", place), Item(fields.get("num_leaves", ""), place).whole(1, MAX_VALUES)
    if len(words) != count:
        raise FileMalformed("leaf_value is not as long as num_leaves says", place=place)
    leaves = [finite(word, place) for word in words]
    if count == 1:
        return {"leaf_value": leaves[0]}
    columns = {key: _words(fields, key, place) for key in ("split_feature", "threshold", "decision_type")}
    children = {key: _whole(fields, key, place) for key in ("left_child", "right_child")}
    lengths = {*map(len, columns.values()), *map(len, children.values())}
    if lengths != {count - 1}:
        raise FileMalformed("the columns of the tree are not of one length", place=place)
    rows = [_row(fields, *(column[at] for column in columns.values()), place=place) for at in range(count - 1)]
    return _nested(rows, leaves, children, place)


def _row(fields: Fields, feature: str, threshold: str, decision: str, *, place: str) -> dict[str, Any]:
    kind = Item(decision, place).whole(0, 15)
    row: dict[str, Any] = {"split_feature": Item(feature, place).whole(0, MAX_VALUES)}
    if kind & _CATEGORICAL:
        members = _members(fields, Item(threshold, place).whole(0, MAX_VALUES), place)
        return row | {"decision_type": "==", "threshold": "||".join(map(str, members))}
    if kind >> 2 >= len(_MISSING):
        raise FileMalformed(f"decision_type {kind} has no missing type", place=place)
    missing = {"missing_type": _MISSING[kind >> 2], "default_left": bool(kind & _DEFAULT_LEFT)}
    # A split between missing and everything else has an infinite threshold.
    value = math.inf if threshold == "inf" else finite(threshold, place)
    return row | missing | {"decision_type": "<=", "threshold": value}


def _members(fields: Fields, at: int, place: str) -> list[int]:
    """Category numbers of a set, which is a string of bits in words of 32."""
    bounds, words = _whole(fields, "cat_boundaries", place), _whole(fields, "cat_threshold", place)
    if at + 1 >= len(bounds) or not 0 <= bounds[at] < bounds[at + 1] <= len(words):
        raise FileMalformed(f"cat_boundaries have no set {at}", place=place)
    chosen = words[bounds[at] : bounds[at + 1]]
    return [_WORD * i + bit for i, word in enumerate(chosen) for bit in range(_WORD) if word >> bit & 1]


def _nested(
    rows: list[dict[str, Any]], leaves: list[float], children: Mapping[str, list[int]], place: str
) -> dict[str, Any]:
    """The tree from its rows; a child below 0 is a leaf. Every node and leaf is used exactly once."""
    ends: list[dict[str, Any]] = [{"leaf_value": value} for value in leaves]
    used = [0]
    depth = [0] * len(rows)
    for at, row in enumerate(rows):
        for key, column in children.items():
            child = column[at]
            # Writers number a child after its parent, so links cannot run in circles.
            if not (at < child < len(rows) or -len(ends) <= child < 0):
                raise FileMalformed(f"{key} of node {at} leads to no node", place=place)
            row[key] = rows[child] if child >= 0 else ends[-child - 1]
            used.append(child)
            if child >= 0:
                depth[child] = depth[at] + 1
    if len(set(used)) != len(used) or len(used) != len(rows) + len(ends) or max(depth) > MAX_DEPTH:
        raise FileMalformed("the children of the nodes make no tree", place=place)
    return rows[0]


def _words(fields: Fields, key: str, place: str) -> list[str]:
    if key not in fields:
        raise FileMalformed(f"has no {key}", place=place)
    return fields[key].split()


def _whole(fields: Fields, key: str, place: str) -> list[int]:
    return [Item(word, place).whole(-(2**31), 2**32) for word in _words(fields, key, place)]
