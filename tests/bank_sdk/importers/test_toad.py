"""Cards of toad: points to two decimals, categories joined by commas, no PDO."""

from typing import Any

import numpy as np
import pytest

from bank_sdk import AmbiguousCategory, BinGap, FileMalformed, PointsInvalid, Scale, ScaleRequired, from_toad
from tests.bank_sdk.importers.material import MODELS, POLICIES, WORDS, card_rows, catalogue, fitting, scored

CARD = MODELS / "toad" / "card.json"
SAID: dict[str, Any] = {**POLICIES, "missing": 93, "unknown": 0, "categories": WORDS, "points": "nearest"}


def test_the_clients_score_as_the_reloaded_card_scores_them() -> None:
    imported = from_toad(CARD)
    rows, scores = card_rows("toad/scores.parquet")
    ours = np.array([imported.value(row) for row in rows])
    np.testing.assert_allclose(ours, scores["reloaded"], rtol=0, atol=1e-9)
    plan = imported.plan(fitting(imported), **SAID)
    assert np.abs(scored(imported, plan, rows) - scores["reloaded"]).max() <= plan.rounding_bound <= 3
    assert len(plan.rounded) > 20 and not plan.exact


def test_the_fitted_object_scores_otherwise_than_its_own_export_and_the_report_says_by_how_much() -> None:
    """Two decimals: reloading does not give back what was saved."""
    imported = from_toad(CARD)
    rows, scores = card_rows("toad/scores.parquet")
    difference = np.abs(np.array([imported.value(row) for row in rows]) - scores["fitted"])
    assert 0 < difference.max() <= 0.03 and "0.03" in imported.notes[0]


def test_fractions_are_refused_unless_rounding_is_asked_for() -> None:
    imported = from_toad(CARD)
    with pytest.raises(PointsInvalid, match='points="nearest"'):
        imported.plan(fitting(imported), **{**SAID, "points": "refuse"})


def test_probabilities_need_a_scale_because_the_export_has_none() -> None:
    imported = from_toad(CARD)
    with pytest.raises(ScaleRequired) as caught:
        imported.plan(fitting(imported), **SAID).pd(600)
    assert "scale=" in caught.value.mend
    scale = Scale(pdo=60, base_score=750, base_odds=20, odds="good:bad")
    assert imported.plan(fitting(imported), scale=scale, **SAID).pd(750) == pytest.approx(1 / 21)


JOINED = {"line": {"retail, wholesale": 50.0, "farming,fishing": 20.0, "else": 5.0, "nan": 7.0}}


def test_categories_joined_by_commas_are_refused_without_a_vocabulary() -> None:
    """The library itself reads its own `retail, wholesale` back as two categories, which no record has."""
    with pytest.raises(AmbiguousCategory, match="retail, wholesale") as caught:
        from_toad(JOINED)
    assert caught.value.place == "card.line" and "vocabulary" in caught.value.mend


def test_a_vocabulary_with_one_reading_settles_it() -> None:
    imported = from_toad(JOINED, vocabulary={"line": ["retail, wholesale", "farming", "fishing"]})
    values = [imported.value({"line": line}) for line in ("retail, wholesale", "fishing", "mining", None)]
    assert values == [50, 20, 5, 7]


@pytest.mark.parametrize("words", [["farming"], ["retail, wholesale", "farming", "fishing", "farming,fishing"]])
def test_a_vocabulary_with_no_reading_or_two_does_not(words: list[str]) -> None:
    with pytest.raises(AmbiguousCategory, match="vocabulary"):
        from_toad(JOINED, vocabulary={"line": words})


def test_else_serves_every_level_without_a_category() -> None:
    imported = from_toad({"grade": {"1": 10, "2": 20, "else": 5, "nan": 0}})
    card = imported.to_scorecard(imported.plan(catalogue({"grade": [1, 2, 3]}, ordinal=["grade"]), **POLICIES))
    assert card.points["grade"] == (5, 10, 20, 5, 0, 0, 0)


@pytest.mark.parametrize(
    ("card", "error"),
    [
        ('{"a": {"[-inf ~ 8.0)": 1}, "a": {"[-inf ~ inf)": 2}}', FileMalformed),
        ('{"a": {"[-inf ~ inf)": NaN}}', FileMalformed),
        ('{"a": {"[-inf ~ inf)": 1e999}}', FileMalformed),
        ('{"a": {"[-inf ~ inf)": true}}', FileMalformed),
        ('{"a": {"[-inf ~ 8.0)": 1, "[9.0 ~ inf)": 2}}', BinGap),
        ('{"a": {}}', BinGap),
        ('{"a": 3}', FileMalformed),
        ("[1, 2]", FileMalformed),
    ],
)
def test_damaged_cards_are_refused(card: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        from_toad(card.encode())
