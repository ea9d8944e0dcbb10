"""Population stability, over bands that never move."""

import math

import numpy as np
import pytest

from bank_sdk import InputError, csi, psi


def test_the_index_is_the_sum_over_bands() -> None:
    found = psi([0, 0, 0, 10], [0, 10, 10, 10], [5])
    assert found.index == pytest.approx((0.25 - 0.75) * math.log(0.25 / 0.75) + (0.75 - 0.25) * math.log(0.75 / 0.25))
    assert found.reading == "major"
    assert [(band.lowest, band.below, band.expected, band.actual) for band in found.bands] == [
        (None, 5, 3, 1),
        (5, None, 1, 3),
    ]


def test_a_score_on_a_cut_is_in_the_band_above() -> None:
    assert [band.expected for band in psi([4, 5, 9, 10], [5], [5, 10]).bands] == [1, 2, 1]


def test_the_same_population_is_stable_and_order_does_not_matter() -> None:
    scores = np.random.default_rng(0).integers(400, 700, 1000)
    found = psi(scores, scores[::-1], range(420, 700, 20))
    assert (found.index, found.reading) == (0, "stable")


def test_an_empty_band_counts_as_half_a_row_and_one_empty_on_both_sides_as_nothing() -> None:
    found = psi([1] * 10, [1] * 9 + [25], [10, 20])
    assert found.bands[1].index == 0
    assert found.bands[2].index == pytest.approx((0.1 - 0.05) * math.log(0.1 / 0.05))


def test_thresholds_are_the_banks() -> None:
    assert psi([1] * 50 + [9] * 50, [1] * 40 + [9] * 60, [5]).reading == "stable"
    assert psi([1] * 50 + [9] * 50, [1] * 40 + [9] * 60, [5], shift=0.02, major=0.03).reading == "major"


def test_characteristics_are_watched_one_by_one() -> None:
    found = csi({"tax": [1, 2], "age": [1, 9]}, {"tax": [1, 2], "age": [9, 9]}, {"tax": [2], "age": [5]})
    assert found["tax"].reading == "stable" and found["age"].index > 0
    with pytest.raises(InputError, match="same characteristics"):
        csi({"tax": [1]}, {"age": [1]}, {"tax": [2]})


@pytest.mark.parametrize(
    ("actual", "cuts", "message"),
    [([], [5], "at least one"), ([1.5], [5], "whole scores"), ([1], [], "rising"), ([1], [5, 5], "rising"),
     ([1], [5.5], "rising")],
)  # fmt: skip
def test_bands_and_scores_are_whole(actual: list[float], cuts: list[float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        psi([1, 2], actual, cuts)  # type: ignore[arg-type]
