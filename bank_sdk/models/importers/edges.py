"""Cut points as doubles. Every bin becomes [lower, upper), and every comparison a source can make becomes such an edge.

`x <= a` holds exactly for the doubles below the next double after `a`; a comparison in 32-bit floats holds exactly for
the doubles below the one that first rounds to the threshold. So nothing is approximated here.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from functools import cache

import numpy as np

Edge = Callable[[float], float]
"""Of a function f that never falls: e -> the smallest double x with f(x) >= e; infinities to themselves."""


def after(value: float) -> float:
    """The next double: `x <= value` is `x < after(value)`."""
    return math.nextafter(value, math.inf)


def positive_zero(value: float) -> float:
    """-0.0 and 0.0 compare equal; an edge has one form."""
    return value + 0.0


def float32(value: float) -> float:
    """The value as a 32-bit float holds it; beyond their range, an infinity."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def float32_edge(edge: float) -> float:
    """The smallest double that is `edge` or more once it is a 32-bit float; halves round to even."""
    if math.isinf(edge):
        return edge
    with np.errstate(over="ignore"):
        threshold = np.float32(edge)
        if float(threshold) < edge:
            threshold = np.nextafter(threshold, np.float32(np.inf))
        below = float(np.nextafter(threshold, np.float32(-np.inf)))
    if math.isinf(below) or math.isinf(float(threshold)):
        return _search(float32, edge)
    half = below + (float(threshold) - below) / 2
    return positive_zero(half if float32(half) >= edge else after(half))


def shifted_edge(absolute: float, relative: float) -> Edge:
    """For f(x) = x + (absolute + relative * |x|) evaluated in doubles; both are 0 or more, `relative` is below 1."""

    def shift(value: float) -> float:
        return value + (absolute + relative * abs(value))

    return cache(lambda edge: edge if math.isinf(edge) else _search(shift, edge))


def _search(function: Callable[[float], float], edge: float) -> float:
    """Bisection over the doubles in their order, which is the order of their bits: at most 64 evaluations."""
    low, high = _rank(-math.inf), _rank(math.inf)
    while low < high:
        middle = (low + high) // 2
        if function(_double(middle)) >= edge:
            high = middle
        else:
            low = middle + 1
    return positive_zero(_double(low))


def _rank(value: float) -> int:
    bits = int(np.float64(value).view(np.int64))
    return bits if bits >= 0 else -(bits & 0x7FFF_FFFF_FFFF_FFFF)


def _double(rank: int) -> float:
    magnitude = float(np.int64(abs(rank)).view(np.float64))
    return magnitude if rank >= 0 else -magnitude


def holds_multiple(lower: float, upper: float, step: float) -> bool:
    """Whether [lower, upper) holds the double nearest to some whole multiple of `step`, which is read as a decimal."""
    exact = Fraction(repr(float(step)))
    first = math.ceil(Fraction(lower) / exact) - 1
    return any(lower <= float(multiple * exact) < upper for multiple in range(first, first + 4))
