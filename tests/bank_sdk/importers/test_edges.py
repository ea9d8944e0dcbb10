"""Every comparison a source makes becomes an edge in doubles that separates exactly the same numbers."""

import math

from hypothesis import given
from hypothesis import strategies as st

from bank_sdk.models.importers.edges import after, float32, float32_edge, holds_multiple, shifted_edge

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS)
def test_a_comparison_in_32_bits_has_an_edge_in_doubles(threshold: float) -> None:
    edge = float32_edge(threshold)
    if math.isfinite(edge):
        assert float32(edge) >= threshold > float32(math.nextafter(edge, -math.inf))


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(-3, 3))
def test_numbers_near_a_32_bit_threshold_fall_on_the_right_side(threshold: float, places: int) -> None:
    edge = float32_edge(threshold)
    value = edge
    for _ in range(abs(places)):
        value = math.nextafter(value, math.copysign(math.inf, places))
    assert (value >= edge) == (float32(value) >= threshold)


@given(NUMBERS, st.floats(0, 1e-3), st.floats(0, 0.5))
def test_a_shifted_input_has_an_edge_too(threshold: float, absolute: float, relative: float) -> None:
    edge = shifted_edge(absolute, relative)(threshold)
    below = math.nextafter(edge, -math.inf)
    if not (math.isfinite(edge) and math.isfinite(below)):
        return
    assert edge + (absolute + relative * abs(edge)) >= threshold > below + (absolute + relative * abs(below))


@given(st.integers(-(10**9), 10**9), st.sampled_from([1.0, 0.5, 0.01, 1e-6]))
def test_multiples_are_found_as_the_doubles_nearest_to_them(count: int, step: float) -> None:
    value = round(count * step, 6)
    assert holds_multiple(value, after(value), step)
    assert not holds_multiple(after(value), value + step / 2, step)
