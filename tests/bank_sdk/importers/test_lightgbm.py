"""LightGBM stumps become points exactly, with each of its three meanings of missing."""

from collections.abc import Callable

import numpy as np
import pytest

from bank_sdk import FileMalformed, ImportRefused, NotAdditive, UnsupportedElement, UnsupportedObjective, from_lightgbm
from tests.bank_sdk.importers.material import (
    LOG_ODDS,
    MODELS,
    WORDS,
    assert_same_log_odds,
    card_rows,
    catalogue,
    polish_rows,
)

FOLDER = MODELS / "lightgbm"


@pytest.mark.parametrize("name", ["stumps.txt", "stumps.json", "forest.txt"])
def test_a_thousand_companies_score_as_the_library_scores_them(name: str) -> None:
    """A random forest averages its trees."""
    rows, scores = polish_rows("lightgbm/polish_scores.parquet")
    assert_same_log_odds(from_lightgbm(FOLDER / name), rows, scores[name.partition(".")[0]].to_numpy())


def test_sigmoid_scales_the_log_odds() -> None:
    rows, scores = polish_rows("lightgbm/polish_scores.parquet")
    assert_same_log_odds(from_lightgbm(FOLDER / "sigmoid.txt"), rows, 2.0 * scores["sigmoid"].to_numpy())


@pytest.mark.parametrize("name", ["missing_none", "missing_zero"])
def test_missing_may_mean_zero_and_zero_may_mean_missing(name: str) -> None:
    rows, scores = card_rows("lightgbm/taiwan_scores.parquet")
    imported = from_lightgbm(FOLDER / f"{name}.txt")
    assert_same_log_odds(imported, rows, scores[name].to_numpy())
    absent, zero = imported.value({**rows[0], "pay_0": None}), imported.value({**rows[0], "pay_0": 0.0})
    assert absent == pytest.approx(zero, abs=1e-12)


@pytest.mark.parametrize("name", ["categorical.txt", "categorical.json"])
def test_categories_carry_the_names_pandas_gave_them(name: str) -> None:
    rows, scores = card_rows("lightgbm/taiwan_scores.parquet")
    imported = from_lightgbm(FOLDER / name)
    assert_same_log_odds(imported, rows, scores["categorical"].to_numpy(), categories=WORDS)
    marriage = next(c for c in imported.characteristics if c.name == "marriage")
    assert set(marriage.labels) == {"married", "single", "other"}
    assert imported.value({**rows[0], "marriage": "never seen"}) == imported.value({**rows[0], "marriage": None})


def test_text_and_json_are_the_same_model() -> None:
    """JSON writes the infinite threshold, which splits missing from the rest, as 1e300."""
    text, dump = from_lightgbm(FOLDER / "stumps.txt"), from_lightgbm(FOLDER / "stumps.json")
    assert b"threshold=inf" in (FOLDER / "stumps.txt").read_bytes()
    assert text.edges == dump.edges and text.digest == dump.digest


def test_an_edge_is_shifted_only_where_no_value_can_tell() -> None:
    """`age <= 25.500000000000004` is `age < 26` for whole numbers, and for them alone."""
    imported = from_lightgbm(FOLDER / "missing_none.txt")
    (edge, *_) = imported.edges["age"]
    grids = {name: [float(np.ceil(edge)) for edge in edges] for name, edges in imported.edges.items()}
    grids = {name: sorted(set(edges)) for name, edges in grids.items()}
    assert edge != int(edge) and imported.plan(catalogue(grids), **LOG_ODDS).blocked
    plan = imported.plan(catalogue(grids), steps=dict.fromkeys(grids, 1), **LOG_ODDS)
    assert not plan.blocked and {change.kind for change in plan.edges} == {"equivalent"}
    assert plan.lost_bins == ()


@pytest.mark.parametrize(
    ("name", "error", "place", "mend"),
    [
        ("leaves6", NotAdditive, "tree_info[0]", "train_on_codes"),
        ("linear", UnsupportedElement, "Tree=0", "linear_tree=false"),
        ("regression", UnsupportedObjective, "objective", "binary"),
        ("multiclass", UnsupportedObjective, "objective", "binary"),
    ],
)
def test_what_points_cannot_express_is_refused(name: str, error: type[ImportRefused], place: str, mend: str) -> None:
    with pytest.raises(error) as caught:
        from_lightgbm(FOLDER / f"{name}.txt")
    assert mend in caught.value.mend and place in caught.value.place


def test_categories_without_names_are_refused() -> None:
    text = (FOLDER / "categorical.txt").read_text()
    cut = text.replace('"school", "university"], ["married", "other", "single"]]', '"school", "university"]]')
    with pytest.raises(UnsupportedElement, match="pandas_categorical"):
        from_lightgbm(cut.encode())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("end of trees", ""),
        lambda text: text.replace("num_leaves=2", "num_leaves=3", 1),
        lambda text: text.replace("left_child=-1", "left_child=0", 1),
        lambda text: text.replace("left_child=-1", "left_child=-2", 1),
        lambda text: text.replace("threshold=", "threshold=nan ", 1),
        lambda text: text.replace("decision_type=", "decision_type=12 ", 1),
        lambda text: text.replace("split_feature=", "split_feature=99 ", 1),
        lambda text: text.replace("shrinkage=1", "shrinkage=1\nnum_leaves=2", 1),
        lambda text: text.replace("leaf_value=", "leaf_value=1e999 ", 1),
    ],
)
def test_damaged_files_are_refused(damage: Callable[[str], str]) -> None:
    with pytest.raises(FileMalformed):
        from_lightgbm(damage((FOLDER / "missing_none.txt").read_text()).encode())
