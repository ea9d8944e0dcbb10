"""Training data as cells: which cell of the public grid each value of each row lies in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CatalogueError, CellKind, Feature

from bank_sdk.errors import InputError, UnknownFeature
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.trees import Tree, TreeModel

Cells = NDArray[np.int64]
Codes = Mapping[str, Cells]
"""Feature code -> one cell index a row, as in `Feature.cells`."""
_NO_VALUE: Final = (CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED)


def codes_of(values: Mapping[str, Any] | Any, catalogue: Catalogue) -> dict[str, Cells]:
    """Cells of raw values, the way the enclave codes them.

    `values`: a mapping or a pandas DataFrame with a column a feature, named by its code, in the catalogue's unit. NaN
    and None are the missing cell; `CellKind` (or its text, "not_applicable" say) names another cell that is no value.
    Columns that are no feature are refused. Raises `InputError` or `UnknownFeature`.
    """
    return {str(code): _coded(_feature(catalogue, str(code)), values[code]) for code in values}


def read_codes(codes: Codes | NDArray[Any] | Any, catalogue: Catalogue) -> dict[str, Cells]:
    """Checked codes in the catalogue's order: from a mapping or DataFrame of cells, or an array (rows, features) with a
    column for every feature of the catalogue. Raises `InputError` or `UnknownFeature`."""
    if isinstance(codes, np.ndarray):
        if codes.ndim != 2 or codes.shape[1] != len(catalogue.features):
            raise InputError(f"an array of codes has {len(catalogue.features)} columns, one for each feature")
        codes = {feature.code: codes[:, at] for at, feature in enumerate(catalogue.features)}
    found = {str(code): _checked(_feature(catalogue, str(code)), np.asarray(codes[code])) for code in codes}
    if not found:
        raise InputError("the codes have no feature")
    if len({column.size for column in found.values()}) != 1 or not next(iter(found.values())).size:
        raise InputError("every feature needs the same number of rows, at least one")
    return {feature.code: found[feature.code] for feature in catalogue.features if feature.code in found}


def take(codes: Codes, rows: NDArray[Any]) -> dict[str, Cells]:
    """The rows asked for, of every feature."""
    return {code: column[rows] for code, column in codes.items()}


def score_codes(model: Scorecard | TreeModel, codes: Codes) -> Cells:
    """Exact integer scores, one a row. Raises `InputError` when a feature of the model has no codes."""
    needed = model.points if isinstance(model, Scorecard) else model.features
    if absent := [code for code in needed if code not in codes]:
        raise InputError(f"{absent[0]}: the model needs this feature and the codes lack it")
    rows = next(iter(codes.values())).size
    total = np.full(rows, model.base_points, np.int64)
    if isinstance(model, Scorecard):
        for code, points in model.points.items():
            total += np.array(points, np.int64)[codes[code]]
        return total
    for tree in model.trees:
        total += np.array(tree.points, np.int64)[leaves_of(tree, codes, model.catalogue)]
    return total


def leaves_of(tree: Tree, codes: Codes, catalogue: Catalogue) -> Cells:
    """The node of the leaf each row reaches."""
    at = np.zeros(next(iter(codes.values())).size, np.int64)
    for node, split in enumerate(tree.splits):
        if split is not None:
            here = np.flatnonzero(at == node)
            left = np.zeros(len(_feature(catalogue, split.feature).cells), np.bool_)
            left[list(split.left)] = True
            at[here] = np.where(left[codes[split.feature][here]], tree.left[node], tree.right[node])
    return at


def _feature(catalogue: Catalogue, code: str) -> Feature:
    try:
        return catalogue.feature(code)
    except CatalogueError as error:
        raise UnknownFeature(code) from error


def _checked(feature: Feature, column: NDArray[Any]) -> Cells:
    if column.ndim != 1 or column.dtype.kind not in "iu":
        raise InputError(f"{feature.code}: cells are whole numbers, one a row; use codes_of for raw values")
    cells = column.astype(np.int64)
    if cells.size and not (0 <= cells.min() and cells.max() < len(feature.cells)):
        raise InputError(f"{feature.code}: has cells 0 to {len(feature.cells) - 1}")
    return cells


def _coded(feature: Feature, column: Any) -> Cells:
    raw = np.asarray(column)
    if raw.dtype.kind in "iuf":
        return _grid_cells(feature, raw.astype(np.float64))
    entries: Sequence[Any] = list(column)
    return np.array([_cell(feature, entry) for entry in entries], np.int64)


def _grid_cells(feature: Feature, values: NDArray[np.float64]) -> Cells:
    cells = np.searchsorted(np.array(feature.grid), values, side="right").astype(np.int64)
    cells[np.isnan(values)] = feature.missing
    return cells


def _cell(feature: Feature, entry: Any) -> int:
    if entry is None or entry == "":
        return feature.missing
    if entry in _NO_VALUE:
        return feature.missing + _NO_VALUE.index(CellKind(entry))
    try:
        number = float(entry)
    except (TypeError, ValueError) as error:
        raise InputError(f"{feature.code}: a value is a number, empty, or one of {', '.join(_NO_VALUE)}") from error
    return int(_grid_cells(feature, np.array([number]))[0])
