"""XGBoost stumps become points exactly; everything that is not a sum over single features is refused by name."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from bank_sdk import FileMalformed, ImportRefused, NotAdditive, UnsupportedElement, UnsupportedObjective, from_xgboost
from tests.bank_sdk.importers.material import (
    LOG_ODDS,
    MODELS,
    assert_same_log_odds,
    catalogue,
    fitting,
    polish_rows,
)

FOLDER = MODELS / "xgboost"


@pytest.mark.parametrize("name", ["stumps.json", "stumps.ubj"])
def test_a_thousand_companies_score_as_the_library_scores_them(name: str) -> None:
    imported = from_xgboost(FOLDER / name)
    rows, scores = polish_rows("xgboost/scores.parquet")
    assert_same_log_odds(imported, rows, scores["stumps"].to_numpy())
    assert imported.source.library == "xgboost 3.2.0" and len(imported.source.digest) == 64


def test_json_and_ubjson_are_the_same_model() -> None:
    assert from_xgboost(FOLDER / "stumps.json").digest == from_xgboost(FOLDER / "stumps.ubj").digest


def test_early_stopping_cuts_the_trees_and_the_report_says_so() -> None:
    imported = from_xgboost(FOLDER / "early.json")
    rows, scores = polish_rows("xgboost/scores.parquet")
    plan = assert_same_log_odds(imported, rows, scores["early"].to_numpy())
    assert plan.notes == ("early stopping: 33 of 48 trees are used (best_iteration 32)",)
    every = from_xgboost(FOLDER / "early.json", rounds="all")
    assert every.digest != imported.digest and not every.notes


def test_thresholds_are_compared_in_32_bits() -> None:
    """4980000.3 is below 4980000.5, yet both are 4980000.5 as 32-bit floats, so the library sends it right."""
    imported = from_xgboost(_stump(threshold=4980000.5))
    assert imported.value({"a": 4980000.3}) == imported.value({"a": 4980000.5}) != imported.value({"a": 4980000.2})
    (edge,) = imported.edges["a"]
    assert np.float32(edge) == np.float32(4980000.5) > np.float32(np.nextafter(edge, -np.inf))


def test_missing_goes_where_default_left_says() -> None:
    left, right = from_xgboost(_stump(default_left=1)), from_xgboost(_stump(default_left=0))
    assert left.value({}) == left.value({"a": -1e9}) and right.value({}) == right.value({"a": 1e9})


@pytest.mark.parametrize("written", ["3E-1", "[3E-1]"])
def test_base_score_is_a_probability_written_in_two_ways(written: str) -> None:
    """As a list since 3.1: readers that did not know gave other scores."""
    imported = from_xgboost(_stump(base_score=written))
    assert imported.base == pytest.approx(np.log(0.3 / 0.7), abs=1e-6)


def _stump(**changes: Any) -> bytes:
    """A small file in the form of version 3.2, for one threshold at a time."""
    tree = {
        "left_children": [1, -1, -1],
        "right_children": [2, -1, -1],
        "split_indices": [0, 0, 0],
        "split_conditions": [changes.get("threshold", 0.5), -0.25, 0.75],
        "default_left": [changes.get("default_left", 0), 0, 0],
        "split_type": [0, 0, 0],
        "tree_param": {"num_nodes": "3", "size_leaf_vector": "1"},
    }
    model = {
        "gbtree_model_param": {"num_trees": "1", "num_parallel_tree": "1"},
        "iteration_indptr": [0, 1],
        "trees": [tree],
    }
    learner = {
        "attributes": {},
        "feature_names": ["a"],
        "gradient_booster": {"name": "gbtree", "model": model},
        "learner_model_param": {"base_score": changes.get("base_score", "5E-1"), "num_class": "0", "num_feature": "1"},
        "objective": {"name": "binary:logistic"},
    }
    return json.dumps({"learner": learner, "version": [3, 2, 0]}).encode()


@pytest.mark.parametrize(
    ("name", "error", "place", "mend"),
    [
        ("depth3", NotAdditive, "trees[0]", "train_on_codes"),
        ("dart", UnsupportedElement, "gradient_booster.name", "gbtree"),
        ("gblinear", UnsupportedElement, "gradient_booster.name", "gbtree"),
        ("squared_error", UnsupportedObjective, "objective.name", "binary:logistic"),
        ("logitraw", UnsupportedObjective, "objective.name", "binary:logistic"),
        ("multiclass", UnsupportedObjective, "objective.name", "binary:logistic"),
        ("categorical", UnsupportedElement, "split_type", "one-hot"),
    ],
)
def test_what_points_cannot_express_is_refused(name: str, error: type[ImportRefused], place: str, mend: str) -> None:
    with pytest.raises(error) as caught:
        from_xgboost(FOLDER / f"{name}.json")
    assert place in caught.value.place and mend in caught.value.mend


def test_a_refusal_of_deep_trees_names_depth_and_features() -> None:
    with pytest.raises(NotAdditive) as caught:
        from_xgboost(FOLDER / "depth3.json")
    assert caught.value.depth == 3 and ("x21", "x27", "x46") in caught.value.feature_sets


def _tree(document: Any) -> Any:
    return document["learner"]["gradient_booster"]["model"]["trees"][0]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: _tree(d).update(left_children=[0, -1, -1]),
        lambda d: _tree(d).update(left_children=[2, -1, -1]),
        lambda d: _tree(d).update(right_children=[7, -1, -1]),
        lambda d: _tree(d).update(split_conditions=[float("nan"), 0.0, 0.0]),
        lambda d: _tree(d).update(split_conditions=[0.5, float("inf"), 0.0]),
        lambda d: _tree(d).update(split_conditions=[-1e39, 0.0, 0.0]),
        lambda d: _tree(d).update(split_conditions=[0.5, 1e39, 0.0]),
        lambda d: _tree(d).update(split_indices=[3, 0, 0]),
        lambda d: _tree(d).update(default_left=[0, 0]),
        lambda d: d["learner"]["attributes"].update(best_iteration="9"),
        lambda d: d["learner"]["learner_model_param"].update(base_score="1.0"),
        lambda d: d["learner"].update(feature_names=["a", "b"]),
        lambda d: d.pop("version"),
    ],
)
def test_damaged_files_are_refused(damage: Callable[[Any], Any]) -> None:
    document = json.loads(_stump())
    damage(document)
    with pytest.raises(FileMalformed):
        from_xgboost(json.dumps(document).encode())


def test_a_grid_of_round_numbers_holds_them_when_the_step_of_the_values_is_known() -> None:
    """A threshold of 0.35 is not 0.35 in 32 bits; for values with six decimals the two are the same."""
    imported = from_xgboost(_stump(threshold=float(np.float32(0.35))))
    grid = catalogue({"a": [0.35]})
    assert imported.plan(grid, **LOG_ODDS).blocked
    plan = imported.plan(grid, steps={"a": 1e-6}, **LOG_ODDS)
    assert [change.kind for change in plan.edges] == ["equivalent"] and not plan.blocked
    assert fitting(imported).features[0].grid != (0.35,)
