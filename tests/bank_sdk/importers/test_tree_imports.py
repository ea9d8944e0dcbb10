"""Trees over several features: every cut point on the grid and every leaf in points, or refused with the place."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from xinyidai.catalogue import Catalogue, CellKind

from bank_sdk import (
    EdgeNotOnGrid,
    FileMalformed,
    InputError,
    MissingPolicyRequired,
    NotAdditive,
    OddsDirectionRequired,
    PlanMismatch,
    PointsInvalid,
    ScaleRequired,
    TreeImport,
    UnknownFeature,
    UnknownFormat,
    UnsafeFormat,
    UnsupportedElement,
    UnsupportedObjective,
    codes_of,
    load_any,
    load_trees,
    trees_from_lightgbm,
    trees_from_xgboost,
)
from bank_sdk.fit.codes import score_codes
from tests.bank_sdk.importers.material import LOG_ODDS, MODELS, POLICIES, SCALE, catalogue
from tests.support import polish

SAID: dict[str, Any] = {**LOG_ODDS, **dict.fromkeys(POLICIES, "as_missing")}
DEEP = {
    "xgboost/depth3.json": ("xgboost/depth3_scores.parquet", "depth3"),
    "lightgbm/leaves6.txt": ("lightgbm/deep_scores.parquet", "leaves6"),
}


def fitting(imported: TreeImport) -> Catalogue:
    return catalogue(imported.edges)


def columns(imported: TreeImport, frame: pd.DataFrame) -> pd.DataFrame:
    return frame[list(imported.edges)]


@pytest.mark.parametrize("name", DEEP)
def test_a_thousand_companies_score_as_the_library_scores_them(name: str) -> None:
    imported = load_trees(MODELS / name)
    scores, column = DEEP[name]
    theirs = pd.read_parquet(MODELS / scores)[column]
    rows = polish.load().loc[theirs.index]
    ours = [imported.value(row) for row in rows.drop(columns=polish.OUTCOME).to_dict("records")]
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-5)
    plan = imported.plan(fitting(imported), **SAID)
    assert not plan.blocked and not plan.edges and not plan.exact
    model = imported.to_trees(plan, name="deep")
    found = score_codes(model, codes_of(columns(imported, rows), model.catalogue))
    exact = np.array([SCALE.score(-margin) for margin in theirs])
    assert np.abs(found - exact).max() <= plan.rounding_bound + 1e-3
    assert model.prove().largest == plan.largest and model.depth > 2


def test_where_points_cannot_express_it_the_refusal_says_that_trees_can() -> None:
    with pytest.raises(NotAdditive) as caught:
        load_any(MODELS / "xgboost/depth3.json")
    assert "load_trees" in caught.value.mend


def _file(**changes: Any) -> bytes:
    """Two features, three leaves: a < 0.5, and on the left b < 2."""
    tree = {
        "left_children": [1, 3, -1, -1, -1],
        "right_children": [2, 4, -1, -1, -1],
        "split_indices": [0, 1, 0, 0, 0],
        "split_conditions": [changes.get("threshold", 0.5), 2.0, 1.0, -1.0, 0.25],
        "default_left": changes.get("default_left", [1, 0, 0, 0, 0]),
        "split_type": [0, 0, 0, 0, 0],
        "tree_param": {"num_nodes": "5", "size_leaf_vector": "1"},
    }
    model = {
        "gbtree_model_param": {"num_trees": "1", "num_parallel_tree": "1"},
        "iteration_indptr": [0, 1],
        "trees": [tree],
    }
    learner = {
        "attributes": {},
        "feature_names": ["a", "b"],
        "gradient_booster": {"name": "gbtree", "model": model},
        "learner_model_param": {"base_score": "5E-1", "num_class": "0", "num_feature": "2"},
        "objective": {"name": changes.get("objective", "binary:logistic")},
    }
    return json.dumps({"learner": learner, "version": [3, 2, 0]}).encode()


CUTS = trees_from_xgboost(_file()).edges
GRID = catalogue({"a": [0.0, *CUTS["a"], 1.0], "b": [1.0, *CUTS["b"]]})
"""The library compares 32-bit floats: the exact cut points are the doubles that round to 0.5 and 2."""


@pytest.mark.parametrize(
    ("values", "leaf"),
    [
        ({"a": 0.4, "b": 1.9}, -1.0),
        ({"a": 0.4, "b": 2.0}, 0.25),
        ({"a": 0.5, "b": 0.0}, 1.0),
        ({"b": 0.0}, -1.0),
        ({"a": 0.0}, 0.25),
        ({"a": CellKind.NOT_APPLICABLE, "b": 0.0}, -1.0),
        ({"a": 0.0, "b": CellKind.NOT_AUTHORIZED}, 0.25),
    ],
)
def test_every_cell_reaches_the_leaf_the_source_gives(values: Mapping[str, float | CellKind], leaf: float) -> None:
    imported = trees_from_xgboost(_file())
    known = {name: None if isinstance(value, CellKind) else value for name, value in values.items()}
    assert imported.value(known) == leaf
    model = imported.to_trees(imported.plan(GRID, **SAID))
    row = {name: [values.get(name, CellKind.MISSING)] for name in ("a", "b")}
    assert score_codes(model, codes_of(row, GRID)).tolist() == [round(SCALE.score(0)) + round(-SCALE.factor * leaf)]


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"scale": None}, ScaleRequired, "scale="),
        ({"positive": None}, OddsDirectionRequired, "positive="),
        ({"points": "refuse"}, PointsInvalid, "nearest"),
        ({"not_applicable": "require"}, MissingPolicyRequired, 'not_applicable="as_missing"'),
        ({"not_authorized": 0}, MissingPolicyRequired, 'not_authorized="as_missing"'),
        ({"features": {"a": "nowhere"}}, UnknownFeature, "nowhere"),
        ({"features": {"a": "b"}}, InputError, "two variables"),
    ],
)
def test_what_the_bank_must_say(changes: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        trees_from_xgboost(_file()).plan(GRID, **{**SAID, **changes})
    assert says in str(caught.value) + getattr(caught.value, "mend", "")


def test_a_cut_point_off_the_grid_blocks_or_snaps_and_is_listed_once() -> None:
    imported = trees_from_xgboost(_file(threshold=0.625))
    sample = pd.DataFrame({"a": [0.5, 0.6, 0.7], "b": [0.0, 0.0, 0.0]})
    plan = imported.plan(GRID, sample=sample, **SAID)
    (change,) = plan.edges
    assert (change.kind, change.feature, change.moved_to, change.rows_affected) == ("off_grid", "a", *CUTS["a"], 2)
    assert change.largest_jump == math.ceil(2 * SCALE.factor)
    with pytest.raises(EdgeNotOnGrid) as caught:
        imported.to_trees(plan)
    assert (caught.value.below, caught.value.above) == (*CUTS["a"], 1.0) and "trees[0]" in caught.value.place
    snapped = imported.plan(GRID, edges="snap", **SAID)
    assert (
        imported.to_trees(snapped).digest
        == trees_from_xgboost(_file()).to_trees(trees_from_xgboost(_file()).plan(GRID, **SAID)).digest
    )
    assert [change.kind for change in imported.plan(GRID, steps={"a": 1.0}, **SAID).edges] == ["equivalent"]
    with pytest.raises(EdgeNotOnGrid):
        imported.plan(GRID, edges="refuse", **SAID)


def test_values_between_cut_points_that_snap_together_are_listed() -> None:
    document = json.loads(_file(threshold=0.625))
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    tree.update(split_indices=[0, 0, 0, 0, 0], split_conditions=[0.625, 0.5625, 1.0, -1.0, 0.25])
    imported = trees_from_xgboost(json.dumps(document).encode())
    (lost,) = imported.plan(GRID, edges="snap", **SAID).lost_bins
    assert (lost.feature, lost.lower, lost.upper) == ("a", *imported.edges["a"])


def test_a_plan_is_for_one_import() -> None:
    one, other = trees_from_xgboost(_file()), trees_from_xgboost(_file(default_left=[0, 0, 0, 0, 0]))
    assert one.digest != other.digest
    with pytest.raises(PlanMismatch):
        one.to_trees(other.plan(GRID, **SAID))
    assert "redacted" in repr(one) and "0.25" not in repr(one) + repr(one.plan(GRID, **SAID))


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (b"hello", UnknownFormat),
        ((MODELS / "pmml/stumps.pmml").read_bytes(), UnknownFormat),
        (b"\x80\x04cos\nsystem\n", UnsafeFormat),
        (_file(objective="reg:squarederror"), UnsupportedObjective),
        ((MODELS / "lightgbm/categorical.txt").read_bytes(), UnsupportedElement),
        (b'{"learner": 1}', FileMalformed),
    ],
)
def test_what_is_no_ensemble_is_refused(source: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        load_trees(source)


def _chain(depth: int) -> bytes:
    """LightGBM's text of one tree that is a chain."""
    inner = depth
    left = [*(f"{at + 1}" for at in range(inner - 1)), "-1"]
    right = [str(-(at + 2)) for at in range(inner)]
    lines = [
        "tree", "version=v4", "num_class=1", "objective=binary sigmoid:1", "feature_names=a b",
        "feature_infos=[0:1] [0:1]", "", "Tree=0", f"num_leaves={inner + 1}", "num_cat=0",
        "split_feature=" + " ".join(str(at % 2) for at in range(inner)), "threshold=" + " ".join(["0.5"] * inner),
        "decision_type=" + " ".join(["2"] * inner), "left_child=" + " ".join(left), "right_child=" + " ".join(right),
        "leaf_value=" + " ".join(str(at) for at in range(inner + 1)), "end of trees",
    ]  # fmt: skip
    return "\n".join(lines).encode()


def test_depth_is_bounded_with_the_place_and_the_mend() -> None:
    assert len(trees_from_lightgbm(_chain(5)).trees) == 1
    with pytest.raises(UnsupportedElement) as caught:
        trees_from_lightgbm(_chain(6))
    assert "Tree=0" in caught.value.place or "tree_info[0]" in caught.value.place
    assert "max_depth=5" in caught.value.mend
