"""Fitted scikit-learn pipelines held in memory: binned and one-hot coded inputs of a logistic regression."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NoReturn

import numpy as np
from xinyidai.catalogue import CellKind

from bank_sdk.errors import ImportRefused, UnsupportedElement, UnsupportedObjective
from bank_sdk.models.importers.edges import float32_edge
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.source import Source, finite
from bank_sdk.models.importers.terms import Characteristic, Step, add, cover

_MEND: Final = "use KBinsDiscretizer or OneHotEncoder, alone or in a ColumnTransformer, before a LogisticRegression"
Column = Callable[[Sequence[float]], Characteristic]


@dataclass(frozen=True, slots=True)
class _Coded:
    """One input after coding: how many columns it takes, and what their coefficients say."""

    width: int
    term: Column = field(repr=False)


def from_sklearn(pipeline: Any) -> Import:
    """A fitted `Pipeline` of (KBinsDiscretizer | OneHotEncoder | KBins then OneHot | ColumnTransformer of these) and a
    binary LogisticRegression; SimpleImputer without indicator before them becomes the missing cell.

    Bins are [edge, edge) and the outer ones open; a dropped category adds 0; `handle_unknown="ignore"` lets an unseen
    category add 0, otherwise `plan` asks for `unknown`. Raises an `ImportRefused` for anything else, and for objects
    that are not fitted. Files (pickle, joblib) are never read.
    """
    steps = getattr(pipeline, "steps", None)
    if not isinstance(steps, list) or len(steps) < 2:
        _refuse(type(pipeline).__name__, "is no Pipeline of coding and regression")
    *coding, (name, regression) = steps
    try:
        return _read(coding, regression, f"step {name}")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ImportRefused):
            raise
        raise ImportRefused(
            "is not fitted, or of a version that is not read", place=type(pipeline).__name__, mend="call fit first"
        ) from error


def _read(coding: Sequence[tuple[str, Any]], regression: Any, place: str) -> Import:
    if type(regression).__name__ != "LogisticRegression":
        _refuse(place, f"{type(regression).__name__} is no LogisticRegression")
    coefficients = [[finite(float(value), place) for value in row] for row in regression.coef_]
    if getattr(regression, "multi_class", None) == "multinomial":
        # Its softmax over -z and z has log-odds 2 z, where all else has z.
        mend = "leave multi_class out"
        raise UnsupportedObjective('multi_class="multinomial" of two classes', place=place, mend=mend)
    if len(coefficients) != 1 or len(regression.classes_) != 2:
        raise UnsupportedObjective("more than two classes", place=place, mend="fit good against bad")
    first = coding[0][1]
    coded = _columns(coding, [str(name) for name in _inputs(first)])
    if sum(one.width for one in coded) != len(coefficients[0]):
        _refuse(place, f"{len(coefficients[0])} coefficients for {sum(one.width for one in coded)} columns")
    terms, at = [], 0
    for one in coded:
        terms.append(one.term(coefficients[0][at : at + one.width]))
        at += one.width
    notes = (f"log-odds of class {regression.classes_[1]!s}",)
    return Import(
        Source("sklearn pipeline"), "log_odds", add(terms), finite(float(regression.intercept_[0]), place), notes
    )


def _inputs(step: Any) -> Sequence[Any]:
    """Names of a DataFrame the pipeline was fitted on, x0, x1 and so on for an array, as the library calls them."""
    found = getattr(step, "feature_names_in_", None)
    return [f"x{at}" for at in range(int(step.n_features_in_))] if found is None else list(found)


def _columns(steps: Sequence[tuple[str, Any]], inputs: Sequence[str]) -> list[_Coded]:
    """What a chain of coding steps makes of its inputs."""
    kinds = [type(step).__name__ for _, step in steps]
    place = " > ".join(f"{name} ({kind})" for (name, _), kind in zip(steps, kinds, strict=True))
    fills: Sequence[Any] = [None] * len(inputs)
    if kinds[:1] == ["SimpleImputer"]:
        fills = _imputed(steps[0][1], place)
        steps, kinds = steps[1:], kinds[1:]
    if kinds == ["ColumnTransformer"]:
        return _parallel(steps[0][1], inputs, place)
    if kinds == ["KBinsDiscretizer"]:
        return [_binned(steps[0][1], at, name, fills[at], place) for at, name in enumerate(inputs)]
    if kinds == ["OneHotEncoder"]:
        return [_coded(steps[0][1], at, name, fills[at], place) for at, name in enumerate(inputs)]
    if kinds == ["KBinsDiscretizer", "OneHotEncoder"] and steps[0][1].encode == "ordinal":
        bins, coder = steps[0][1], steps[1][1]
        return [_both(bins, coder, at, name, fills[at], place) for at, name in enumerate(inputs)]
    _refuse(place, "is no coding into bins or categories")


def _parallel(transformer: Any, inputs: Sequence[str], place: str) -> list[_Coded]:
    if getattr(transformer, "transformer_weights", None):
        _refuse(place, "transformer_weights multiply columns")
    found: list[_Coded] = []
    for name, step, columns in transformer.transformers_:
        if isinstance(step, str) and step == "drop":
            continue
        if isinstance(step, str):
            _refuse(f"{place} > {name}", "passes numbers through as they are")
        chosen = [column if isinstance(column, str) else inputs[column] for column in _listed(columns)]
        chain = step.steps if type(step).__name__ == "Pipeline" else [(name, step)]
        found += _columns(chain, chosen)
    return found


def _listed(columns: Any) -> list[Any]:
    if isinstance(columns, slice) or callable(columns):
        _refuse("ColumnTransformer", "columns must be a list of names or numbers")
    found = [columns] if isinstance(columns, str | int) else list(columns)
    mask = bool(found) and all(isinstance(entry, bool | np.bool_) for entry in found)
    return [at for at, chosen in enumerate(found) if chosen] if mask else found


def _imputed(imputer: Any, place: str) -> list[Any]:
    if getattr(imputer, "add_indicator", False) or not _is_nan(imputer.missing_values):
        _refuse(place, "marks missing values in a way that has no counterpart")
    return list(imputer.statistics_)


def _binned(bins: Any, at: int, name: str, fill: Any, place: str) -> _Coded:
    edges = _inner_edges(bins, at)
    count = len(edges) + 1
    if bins.encode == "ordinal":
        return _Coded(1, lambda c: _steps(name, place, edges, [c[0] * i for i in range(count)], fill))
    if bins.encode not in ("onehot", "onehot-dense"):
        _refuse(place, f"encode={bins.encode!r} is not known")
    return _Coded(count, lambda c: _steps(name, place, edges, c, fill))


def _both(bins: Any, coder: Any, at: int, name: str, fill: Any, place: str) -> _Coded:
    """Numbers of bins, one-hot coded. A bin no row of the training data fell in is an unseen category."""
    edges, kept = _inner_edges(bins, at), _kept(coder, at, place)
    seen = {float(category) for category in coder.categories_[at]}
    if len(seen) != len(edges) + 1 and coder.handle_unknown != "ignore":
        _refuse(place, f"{name}: a bin has no column of its own")

    def term(coefficients: Sequence[float]) -> Characteristic:
        known = dict(zip((float(category) for category in kept), coefficients, strict=True))
        return _steps(name, place, edges, [known.get(float(i), 0.0) for i in range(len(edges) + 1)], fill)

    return _Coded(len(kept), term)


def _coded(coder: Any, at: int, name: str, fill: Any, place: str) -> _Coded:
    kept = _kept(coder, at, place)
    categories = list(coder.categories_[at])

    def term(coefficients: Sequence[float]) -> Characteristic:
        known = {_label(category): value for category, value in zip(kept, coefficients, strict=True)}
        values = {_label(category): known.get(_label(category), 0.0) for category in categories}
        absent = next((_label(c) for c in categories if c is None or _is_nan(c)), None)
        labels = {label: value for label, value in values.items() if label != absent}
        filled = absent if fill is None else _label(fill)
        cells = {} if filled is None else {CellKind.MISSING: values.get(filled, 0.0)}
        other = 0.0 if coder.handle_unknown == "ignore" else None
        return Characteristic(name, place, (), MappingProxyType(labels), MappingProxyType(cells), {}, other)

    return _Coded(len(kept), term)


def _kept(coder: Any, at: int, place: str) -> list[Any]:
    """The categories that have a column."""
    if coder.max_categories is not None or coder.min_frequency is not None or coder.handle_unknown == "warn":
        _refuse(place, "merges infrequent categories")
    if coder.handle_unknown not in ("error", "ignore"):
        _refuse(place, f"handle_unknown={coder.handle_unknown!r} is not known")
    dropped = None if coder.drop_idx_ is None else coder.drop_idx_[at]
    return [category for i, category in enumerate(coder.categories_[at]) if dropped is None or i != dropped]


def _inner_edges(bins: Any, at: int) -> list[float]:
    """Values outside the outer edges fall in the outer bins. With 32-bit `dtype` inputs are cast before comparing."""
    edges = [finite(float(edge), "bin_edges_") for edge in bins.bin_edges_[at][1:-1]]
    narrow = bins.dtype is not None and np.dtype(bins.dtype) == np.float32
    return [float32_edge(edge) for edge in edges] if narrow else edges


def _steps(name: str, place: str, edges: Sequence[float], values: Sequence[float], fill: Any) -> Characteristic:
    bounds = [-math.inf, *edges, math.inf]
    steps = cover((Step(bounds[at], bounds[at + 1], value) for at, value in enumerate(values)), f"{place}, {name}")
    if fill is None:
        return Characteristic(name, place, steps)
    at = finite(float(fill), f"{place}, {name}")
    filled = next(step.value for step in steps if step.lower <= at < step.upper)
    return Characteristic(name, place, steps, {}, MappingProxyType({CellKind.MISSING: filled}))


def _label(category: Any) -> str:
    """Whole numbers without the point, as the catalogue and other formats write them."""
    if isinstance(category, float) and category.is_integer():
        return str(int(category))
    return str(category)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _refuse(place: str, message: str) -> NoReturn:
    raise UnsupportedElement(message, place=place, mend=_MEND)
