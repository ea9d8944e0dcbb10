"""Fitted optbinning scorecards held in memory. Cut points come from `.splits`, never from labels, which are rounded."""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, Final

from xinyidai.catalogue import CellKind

from bank_sdk.errors import ImportRefused, ParityFailed
from bank_sdk.models.fitted import points_by_variable, refuse_numeric_target, scalar, text_list
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.source import Source
from bank_sdk.models.importers.terms import Characteristic, Step, Value, cover

_TOLERANCE: Final = 1e-6
_SPECIAL: Final = "special"


def from_optbinning(fitted: Any) -> Import:
    """A fitted `optbinning.Scorecard`: splits, categories, special codes, the missing bin and the intercept.

    An unseen category has two answers in the library, the missing bin's from `score` and another from `predict_proba`;
    `plan` asks for `unknown`. Special codes given as a list share one bin, named "special"; `plan` asks what they mean.
    The result is held against `fitted.score` in every bin. Raises `ImportRefused` or `ParityFailed`.
    """
    refuse_numeric_target(fitted)
    try:
        process = fitted.binning_process_
        table = fitted.table(style="detailed")
        points = points_by_variable(text_list(table["Variable"]), list(table["Points"]))
        selected = text_list(process.get_support(names=True))
        found = tuple(_variable(name, process.get_binned_variable(name), points.get(name, [])) for name in selected)
    except (AttributeError, KeyError, TypeError) as error:
        raise ImportRefused(
            "not a fitted optbinning Scorecard", place=type(fitted).__name__, mend="fit it first and pass the object"
        ) from error
    imported = Import(Source("optbinning scorecard"), "points", found, scalar(getattr(fitted, "intercept_", 0)))
    _check_parity(imported, fitted, text_list(process.variable_names), type(table))
    return imported


def _variable(name: str, binned: Any, points: Sequence[Any]) -> Characteristic:
    values = [scalar(value) for value in points]
    codes = binned.special_codes
    specials = list(codes) if isinstance(codes, dict) else [_SPECIAL]
    splits = list(binned.splits)
    categorical = binned.dtype == "categorical"
    bins = len(splits) + (0 if categorical else 1)
    place = f"variable {name}"
    if len(values) != bins + len(specials) + 1:
        raise ImportRefused(f"the table has {len(values)} rows for {bins} bins", place=place, mend="fit it again")
    # Without special codes the row of the special bin stands for nothing.
    named = {} if codes is None else dict(zip(map(str, specials), values[bins:-1], strict=True))
    cells, extra = MappingProxyType({CellKind.MISSING: values[-1]}), MappingProxyType(named)
    if categorical:
        labels = {str(label): values[at] for at, group in enumerate(splits) for label in group}
        return Characteristic(name, place, (), MappingProxyType(labels), cells, extra)
    edges = [-math.inf, *(float(split) for split in splits), math.inf]
    steps = cover((Step(edges[at], edges[at + 1], values[at]) for at in range(bins)), place)
    return Characteristic(name, place, steps, {}, cells, extra)


def _check_parity(imported: Import, fitted: Any, columns: Sequence[str], frame: Any) -> None:
    """Both ends of every bin, every category and missing, one variable at a time."""
    probes: list[dict[str, Value]] = [{c.name: _probes(c)[0] for c in imported.characteristics}]
    for characteristic in imported.characteristics:
        probes += [{**probes[0], characteristic.name: value} for value in _probes(characteristic)[1:]]
    # The fitted object wants a DataFrame; its own table is one, so the type need not be imported.
    theirs = fitted.score(frame({name: [_cell(probe.get(name, 0.0)) for probe in probes] for name in columns}))
    largest = max(abs(imported.value(probe) - float(their)) for probe, their in zip(probes, theirs, strict=True))
    if not largest <= _TOLERANCE:
        raise ParityFailed(largest, place="score()", mend="fit it again: its table and its score() disagree")


def _probes(characteristic: Characteristic) -> list[Value]:
    if characteristic.labels:
        return [*characteristic.labels, None]
    edges = characteristic.edges
    inside = [value for edge in edges for value in (math.nextafter(edge, -math.inf), edge)] or [0.0]
    return [*inside, None]


def _cell(value: Value) -> Any:
    return math.nan if value is None else value
