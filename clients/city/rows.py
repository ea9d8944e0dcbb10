"""Rows of one category as columns of numpy or Arrow arrays, before the mess of delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.random import Generator
from numpy.typing import NDArray

from clients.city.timeline import Bools, Dates, Floats, Ints


@dataclass(frozen=True)
class Coded:
    """A column of few distinct texts: `values[codes[i]]`, null where the code is -1."""

    codes: Ints
    values: tuple[str, ...]

    def take(self, rows: Ints) -> "Coded":
        return Coded(self.codes[rows], self.values)


Column: TypeAlias = NDArray[Any] | Coded | pa.Array
"""NaN and NaT are null."""


@dataclass(frozen=True)
class Rows:
    """All columns have as many entries as `firm`."""

    firm: Ints
    """Position of the enterprise in its block."""
    month: Dates
    """The month the record is about."""
    ready: Dates
    """The day on which the holder knows the record's content and could send it."""
    columns: Mapping[str, Column]


def pick(rng: Generator, count: int, values: Sequence[str], weights: Sequence[float]) -> Coded:
    """Independent draws with the given weights."""
    shares = np.asarray(weights, dtype=np.float64)
    return Coded(rng.choice(len(values), count, p=shares / shares.sum()).astype(np.int64), tuple(values))


def choose(condition: Bools, yes: str, no: str) -> Coded:
    return Coded(np.where(condition, 0, 1).astype(np.int64), (yes, no))


def constant(text: str, count: int) -> Coded:
    return Coded(np.zeros(count, dtype=np.int64), (text,))


def numbered(prefix: str, numbers: Ints, width: int) -> pa.Array:
    """`prefix` and the number, padded with zeros to `width` digits."""
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def joined(*parts: pa.Array | str) -> pa.Array:
    """Element-wise concatenation; a plain text is repeated."""
    return pc.binary_join_element_wise(*(pa.scalar(p) if isinstance(p, str) else p for p in parts), "")


def texts(column: Coded) -> pa.Array:
    indices = pa.array(column.codes, mask=column.codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(column.values, pa.string())).cast(pa.string())


def events(rng: Generator, rate: Floats) -> Ints:
    """Positions of the enterprises that have an event, each as often as a Poisson draw of its rate says."""
    return np.repeat(np.arange(len(rate), dtype=np.int64), rng.poisson(np.minimum(rate, 60.0)))


def sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def money(x: Floats) -> Floats:
    """Rounded to the cent."""
    return np.round(x, 2)


def serial(firm: Ints) -> Ints:
    """0, 1, 2 ... within each run of equal values of `firm`, which must be sorted."""
    if not len(firm):
        return firm
    starts = np.flatnonzero(np.r_[True, firm[1:] != firm[:-1]])
    return np.arange(len(firm), dtype=np.int64) - np.repeat(starts, np.diff(np.r_[starts, len(firm)]))


def _append(first: Column, second: Column) -> Column:
    if isinstance(first, Coded) and isinstance(second, Coded):
        names = tuple(dict.fromkeys(first.values + second.values))
        moved = [
            np.where(c.codes < 0, -1, np.array([names.index(v) for v in c.values])[c.codes]) for c in (first, second)
        ]
        return Coded(np.concatenate(moved), names)
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, pa.Array) and isinstance(second, pa.Array):
        return pa.concat_arrays([first, second])
    raise TypeError("columns of two kinds cannot be stacked")


def stack(first: Rows, second: Rows) -> Rows:
    """The rows of both, which must have the same columns."""
    return Rows(
        np.concatenate([first.firm, second.firm]),
        np.concatenate([first.month.astype("datetime64[M]"), second.month.astype("datetime64[M]")]),
        np.concatenate([first.ready, second.ready]),
        {name: _append(column, second.columns[name]) for name, column in first.columns.items()},
    )
