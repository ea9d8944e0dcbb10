"""The expressions say what a slow, obvious reading of the catalogue says, for records drawn at random."""

import os
from datetime import date
from math import isclose
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from xinyidai.catalogue import builtin_catalogue

from tests.support.random_records import draw_records
from tests.support.records import told, write_records
from tests.support.reference_features import reference_features

EXAMPLES = 200 if os.environ.get("XYD_CAMPAIGN") == "long" else 2
FIRMS = 60
DAYS = [
    date(2026, 4, 30),
    date(2026, 6, 30),
    date(2026, 10, 31),
    date(2026, 12, 31),
    date(2027, 2, 28),
    date(2028, 2, 29),
]


def agree(found: float | str, expected: float | str) -> bool:
    """The same word, or the same number but for the noise of the arithmetic."""
    if isinstance(found, str) or isinstance(expected, str):
        return found == expected
    return isclose(found, expected, rel_tol=1e-9, abs_tol=2e-9)


def test_the_records_drawn_make_something_of_every_feature() -> None:
    """A comparison of what is always missing would show nothing."""
    catalogue = builtin_catalogue()
    codes = tuple(category.code for category in catalogue.categories)
    said: dict[str, set[float]] = {feature.code: set() for feature in catalogue.features}
    for seed in range(3):
        found = reference_features(draw_records(Random(seed), codes, DAYS[2], firms=100), DAYS[2])
        for code, values in said.items():
            values.update(float(firm[code]) for firm in found.values() if not isinstance(firm[code], str))
    assert len(said) == 92
    assert [code for code, values in said.items() if len(values) < 2] == []


@pytest.mark.parametrize("category", [category.code for category in builtin_catalogue().categories])
@settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 2**32 - 1), as_of=st.sampled_from(DAYS))
def test_every_feature_agrees_with_the_reference(category: str, seed: int, as_of: date) -> None:
    """Sixty firms at once, so nothing is shrunk; with the other categories that the features of this one read."""
    catalogue = builtin_catalogue()
    features = catalogue.category(category).features
    sources = tuple(dict.fromkeys((category, *(source for feature in features for source in feature.sources))))
    records = draw_records(Random(seed), sources, as_of, FIRMS)
    with TemporaryDirectory() as folder:
        found = told(write_records(Path(folder), catalogue, **records), catalogue, as_of)
    expected = reference_features(records, as_of)
    assert found.keys() == expected.keys()
    wrong = [
        (code, feature.code, found[code][feature.code], expected[code][feature.code])
        for code in expected
        for feature in features
        if not agree(found[code][feature.code], expected[code][feature.code])
    ]
    assert not wrong, wrong[:10]
