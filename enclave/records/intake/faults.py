"""Which rows of a slice are set aside, and for what: the first fault found of a row is the one that is told."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from xinyidai.batches import RowFault

_FAULTS: Final = tuple(RowFault)
_NUMBER: Final = {fault: place + 1 for place, fault in enumerate(_FAULTS)}


def as_mask(condition: Any) -> NDArray[np.bool_]:
    """A boolean Arrow array as numpy; null is False."""
    if isinstance(condition, np.ndarray):
        return condition
    filled = condition.fill_null(False) if condition.null_count else condition
    mask: NDArray[np.bool_] = filled.to_numpy(zero_copy_only=False).astype(np.bool_, copy=False)
    return mask


class Faults:
    """Of `rows` rows; none at first."""

    def __init__(self, rows: int, columns: tuple[str, ...]) -> None:
        self._fault = np.zeros(rows, np.int8)
        self._column = np.zeros(rows, np.int16)
        self._columns = ("", *columns)

    def mark(self, condition: Any, fault: RowFault, column: str = "") -> None:
        """`condition`: a boolean array, of Arrow or numpy; null is False."""
        mask = as_mask(condition)
        if mask.any():
            fresh = mask & (self._fault == 0)
            self._fault[fresh] = _NUMBER[fault]
            self._column[fresh] = self._columns.index(column)

    def mark_named(self, names: Any) -> None:
        """Faults another program found, by name; an unknown name counts as an encoding that could not be read."""
        if names.null_count == len(names):
            return
        distinct = names.dictionary_encode()
        known = dict(zip(map(str, _FAULTS), _NUMBER.values(), strict=True))
        numbers = np.array([known.get(name, _NUMBER[RowFault.ENCODING]) for name in distinct.dictionary.to_pylist()])
        fresh = as_mask(names.is_valid()) & (self._fault == 0)
        self._fault[fresh] = numbers[distinct.indices.fill_null(0).to_numpy(zero_copy_only=False)][fresh]

    @property
    def clean(self) -> NDArray[np.bool_]:
        return np.asarray(self._fault == 0)

    def described(self, rows: NDArray[np.int64]) -> tuple[pa.Array, pa.Array]:
        """(fault, column) of the given rows, as text."""
        faults = [_FAULTS[number - 1].value for number in self._fault[rows]]
        return pa.array(faults, pa.string()), pa.array([self._columns[c] for c in self._column[rows]], pa.string())
