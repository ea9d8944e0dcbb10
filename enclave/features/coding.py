"""From values to cells: where a value lies on its feature's public grid."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, Feature


class ValueStatus(IntEnum):
    """What a feature of an enterprise is."""

    VALUE = 0
    MISSING = 1
    NOT_APPLICABLE = 2


def code_feature(feature: Feature, values: NDArray[np.float64], status: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Cell index within the feature for each enterprise, as `Feature.cell_of` has it; shapes (n,). Raises `ValueError`
    for a value that is not a number: what is missing must say so in `status`."""
    present = status == ValueStatus.VALUE
    if np.isnan(values[present]).any():
        raise ValueError(f"{feature.code}: a value is not a number; missing must be said in the status")
    cells = np.searchsorted(np.array(feature.grid), values, side="right").astype(np.uint16)
    cells[status == ValueStatus.MISSING] = feature.missing
    cells[status == ValueStatus.NOT_APPLICABLE] = feature.not_applicable
    return cells


def code_values(catalogue: Catalogue, values: NDArray[np.float64], status: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Cells of all features, shape (enterprises, features) like both arguments, C order."""
    cells = np.empty(values.shape, np.uint16)
    for at, feature in enumerate(catalogue.features):
        cells[:, at] = code_feature(feature, values[:, at], status[:, at])
    return cells
