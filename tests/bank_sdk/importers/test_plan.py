"""The dry run lists every approximation; nothing is converted that it did not list."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from xinyidai.catalogue import CellKind, builtin_catalogue

from bank_sdk import (
    BinGap,
    BinOverlap,
    CategoriesShareCell,
    EdgeNotOnGrid,
    FileMalformed,
    Import,
    InputError,
    MissingPolicyRequired,
    PlanMismatch,
    PointsInvalid,
    PointsOverflow,
    ScorecardError,
    TableInvalid,
    UnknownFeature,
    from_csv,
    from_toad,
)
from tests.bank_sdk.importers.material import POLICIES, catalogue

GRID = catalogue({"age": [6, 12, 24, 36], "size": [1, 2]})
SAID: dict[str, Any] = {**POLICIES, "missing": 0}


def _table(*rows: tuple[str, float | None, float | None, float], base: float = 500) -> Import:
    names = ("feature", "lower", "upper", "points")
    return from_csv([dict(zip(names, row, strict=True)) for row in rows], base_points=base)


def _age(edge: float) -> Import:
    return _table(("age", None, edge, 10), ("age", edge, None, 40))


def test_edges_on_the_grid_are_exact_and_nothing_is_listed() -> None:
    plan = _age(12).plan(GRID, **SAID)
    assert plan.exact and not (plan.edges or plan.rounded or plan.notes or plan.blocked)
    card = _age(12).to_scorecard(plan, name="sme")
    assert card.points["age"] == (10, 10, 40, 40, 40, 0, 0, 0) and card.base_points == 500 and card.name == "sme"
    assert [use.cell for use in plan.policies] == ["missing", "not_applicable", "not_authorized"]


def test_an_edge_off_the_grid_is_listed_and_blocks() -> None:
    """The dry run goes on to the end, so that a bank sees all of them at once."""
    imported = _table(("age", None, 13, 1), ("age", 13, 25, 2), ("age", 25, None, 3))
    plan = imported.plan(GRID, sample={"age": [12, 12.5, 13, 24.5, None]}, **SAID)
    assert [(change.edge, change.moved_to, change.rows_affected, change.kind) for change in plan.edges] == [
        (13, 12, 2, "off_grid"),
        (25, 24, 1, "off_grid"),
    ]
    with pytest.raises(EdgeNotOnGrid) as caught:
        imported.to_scorecard(plan)
    error = caught.value
    assert (error.edge, error.below, error.above, error.rows_affected) == (13, 12, 24, 2)
    assert error.place == "table, age" and 'edges="snap"' in error.mend and "train_on_codes" in error.mend


def test_refuse_stops_at_the_first_edge_even_an_equivalent_one() -> None:
    with pytest.raises(EdgeNotOnGrid):
        _age(11.5).plan(GRID, edges="refuse", steps={"age": 1}, **SAID)


def test_snapping_moves_to_the_nearest_edge_and_says_what_it_costs() -> None:
    plan = _age(13).plan(GRID, edges="snap", sample=pd.DataFrame({"age": [12.5, 30]}), **SAID)
    (change,) = plan.edges
    assert (change.kind, change.moved_to, change.rows_affected, change.largest_jump) == ("snapped", 12, 1, 30)
    assert not plan.exact and _age(13).to_scorecard(plan).points["age"][:3] == (10, 10, 40)


def test_a_bin_that_loses_all_its_cells_is_listed() -> None:
    imported = _table(("age", None, 11, 1), ("age", 11, 13, 2), ("age", 13, None, 3))
    (lost,) = imported.plan(GRID, edges="snap", **SAID).lost_bins
    assert (lost.lower, lost.upper) == (11, 13)


@pytest.mark.parametrize(
    ("edge", "step", "same"), [(11.5, 1, 12), (12.5, 1, None), (11.9999999, 1e-6, 12), (11.5, 0.5, None)]
)
def test_an_edge_is_equivalent_only_when_no_value_lies_between(edge: float, step: float, same: float | None) -> None:
    plan = _age(edge).plan(GRID, steps={"age": step}, **SAID)
    assert bool(plan.blocked) == (same is None)
    if same is not None:
        assert plan.exact and [(change.kind, change.moved_to) for change in plan.edges] == [("equivalent", same)]


def test_levels_of_an_ordinal_feature_are_whole_numbers_without_being_told() -> None:
    grid = catalogue({"age": [1, 2, 3]}, ordinal=["age"])
    assert (
        _age(1.5).plan(grid, **SAID).exact
        and _age(1.5).to_scorecard(_age(1.5).plan(grid, **SAID)).score({"age": 2}) == 540
    )


def test_fractions_are_refused_or_rounded_within_a_stated_bound() -> None:
    imported = _table(
        ("age", None, 12, 10.25), ("age", 12, None, 40.4), ("size", None, 1, 3.5), ("size", 1, None, 2), base=0.2
    )
    with pytest.raises(PointsInvalid, match='points="nearest"'):
        imported.plan(GRID, **SAID)
    plan = imported.plan(GRID, points="nearest", **SAID)
    assert {(change.feature, change.exact, change.points) for change in plan.rounded} >= {
        ("age", 40.4, 40),
        ("size", 3.5, 4),
    }
    assert plan.rounding_bound == pytest.approx(0.4 + 0.5 + 0.2)


def test_missing_may_serve_for_the_cells_no_source_knows() -> None:
    imported = from_csv(
        [
            {"feature": "age", "lower": None, "upper": None, "points": 5},
            {"feature": "age", "cell": "missing", "points": 9},
        ]
    )
    plan = imported.plan(GRID, not_applicable="as_missing", not_authorized=-3)
    assert imported.to_scorecard(plan).points["age"][-3:] == (9, 9, -3)
    assert [use.policy for use in plan.policies] == ["as_missing", "-3"]
    with pytest.raises(MissingPolicyRequired):
        imported.plan(GRID, not_applicable=0)


def test_features_are_mapped_by_name_and_only_once() -> None:
    imported = _table(("alter", None, None, 1))
    with pytest.raises(UnknownFeature, match="alter"):
        imported.plan(GRID, **SAID)
    assert imported.plan(GRID, features={"alter": "age"}, **SAID).table.keys() == {"age"}
    two = _table(("alter", None, None, 1), ("age", None, None, 1))
    with pytest.raises(BinOverlap, match="two variables"):
        two.plan(GRID, features={"alter": "age"}, **SAID)


def test_categories_with_different_points_must_not_share_a_cell() -> None:
    imported = from_toad({"size": {"small": 1, "large": 2, "else": 0, "nan": 0}})
    with pytest.raises(CategoriesShareCell, match="'small' and 'large'") as caught:
        imported.plan(GRID, categories={"size": {"small": 1.1, "large": 1.2}}, **POLICIES)
    assert caught.value.place and "finer grid" in caught.value.mend


def test_a_cell_wider_than_its_category_is_noted() -> None:
    imported = from_toad({"size": {"1": 1, "else": 0, "nan": 0}})
    assert imported.plan(GRID, **POLICIES).notes[1:] == ("size: every number in cell [1, 2) scores as category '1'",)
    assert len(imported.plan(GRID, steps={"size": 1}, **POLICIES).notes) == 1


def test_a_category_may_stand_for_a_cell_that_is_no_value() -> None:
    imported = from_toad({"size": {"1": 1, "none": 7, "else": 0, "nan": 0}})
    plan = imported.plan(GRID, categories={"size": {"none": CellKind.NOT_APPLICABLE}}, not_authorized=0)
    assert imported.to_scorecard(plan).points["size"] == (0, 1, 0, 0, 7, 0)


def test_categories_with_different_points_must_not_stand_for_one_cell() -> None:
    """Nor for missing, where the source itself says what missing gives."""
    imported = from_toad({"size": {"1": 1, "none": 7, "unknown": 9, "else": 0, "nan": 0}})
    both: dict[str, Any] = {"none": CellKind.NOT_APPLICABLE, "unknown": CellKind.NOT_APPLICABLE}
    for said in (both, {"none": CellKind.MISSING, "unknown": CellKind.NOT_APPLICABLE}):
        with pytest.raises(BinOverlap, match="given twice") as caught:
            imported.plan(GRID, categories={"size": said}, not_authorized=0)
        assert caught.value.place and "same points" in caught.value.mend
    same = from_toad({"size": {"1": 1, "none": 7, "unknown": 7, "else": 0, "nan": 0}})
    plan = same.plan(GRID, categories={"size": both}, not_authorized=0)
    assert same.to_scorecard(plan).points["size"] == (0, 1, 0, 0, 7, 0)


def test_a_plan_belongs_to_its_import() -> None:
    with pytest.raises(PlanMismatch) as caught:
        _age(12).to_scorecard(_age(24).plan(GRID, **SAID))
    assert "plan()" in caught.value.mend


def test_the_report_can_be_read_by_people_and_hides_points_when_printed() -> None:
    imported = _table(("age", None, 13, 17.25), ("age", 13, None, 40))
    plan = imported.plan(GRID, edges="snap", points="nearest", sample={"age": [12.5]}, **SAID)
    text = "\n".join(plan.lines())
    assert "边界移动 / edge moved: age: 13 -> 12, 1 行 / rows, ±23 分 / points" in text
    assert "分值取整 / rounded: age [-inf, 13): 17.25 -> 17" in text and "可转换 / convertible: 是 / yes" in text
    assert "17" not in repr(imported) and "17.25" not in repr(plan) + repr(imported.characteristics)


def test_a_score_that_does_not_fit_is_refused_by_the_proof() -> None:
    imported = _table(("age", None, 12, 0), ("age", 12, None, 5000))
    plan = imported.plan(GRID, **SAID)
    assert plan.largest == 5000
    with pytest.raises(PointsOverflow, match="smaller PDO"):
        imported.to_scorecard(plan).prove()


def test_a_model_comes_over_to_the_built_in_catalogue() -> None:
    """Tax grades D, C, M, B, A are levels 0 to 4 there."""
    grades = {"D": -40, "C": -10, "M": 0, "B": 15, "A": 30, "nan": -5}
    imported = from_toad({"tax_grade": grades})
    plan = imported.plan(
        builtin_catalogue(),
        features={"tax_grade": "tcr_grade_latest"},
        categories={"tax_grade": {"D": 0, "C": 1, "M": 2, "B": 3, "A": 4}},
        not_applicable=0,
        not_authorized="as_missing",
    )
    assert imported.to_scorecard(plan).points["tcr_grade_latest"] == (-40, -10, 0, 15, 30, -5, 0, -5)


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([{"feature": "age", "lower": None, "upper": 12, "points": 1}], BinGap),
        ([{"feature": "age", "lower": None, "upper": None, "points": 1}] * 2, BinOverlap),
        ([{"feature": "age", "lower": float("nan"), "upper": None, "points": 1}], TableInvalid),
        ([{"feature": "age", "lower": 0.0, "upper": -0.0, "points": 1}], TableInvalid),
        ([{"feature": "age", "lower": None, "upper": None, "points": float("inf")}], FileMalformed),
        ([{"feature": "age", "cell": "unknown", "points": 1}], TableInvalid),
        ([{"feature": "", "lower": None, "upper": None, "points": 1}], TableInvalid),
    ],
)
def test_tables_with_gaps_overlaps_or_no_numbers_are_refused(rows: Any, error: type[ScorecardError]) -> None:
    with pytest.raises(error) as caught:
        from_csv(rows)
    assert caught.value.place and (caught.value.mend or error not in (BinGap, BinOverlap))


def test_negative_zero_is_zero() -> None:
    imported = _table(("age", None, -0.0, 1), ("age", 0.0, None, 2))
    assert imported.edges == {"age": (0.0,)} and not np.signbit(imported.edges["age"][0])
    assert imported.plan(catalogue({"age": [0]}), **SAID).exact


@pytest.mark.parametrize("said", [{"edges": "roughly"}, {"steps": {"age": 0}}, {"steps": {"age": float("nan")}}])
def test_settings_that_mean_nothing_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        _age(12.5).plan(GRID, **SAID, **said)
