"""A points table is taken over exactly, or refused with the reason and the place."""

import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xinyidai.catalogue import CellKind, builtin_catalogue
from xinyidai.parameters import LINEAR_4096_T1024

from bank_sdk import (
    BinGap,
    BinOverlap,
    EdgeNotOnGrid,
    InputError,
    MissingPolicyRequired,
    PointsInvalid,
    PointsOverflow,
    Scorecard,
    ScorecardError,
    TableInvalid,
    UnknownFeature,
)
from tests.bank_sdk.materials import CATALOGUE, GRIDS, POLICIES, ROWS, cells_of, scorecard

Rows = list[dict[str, Any]]


def test_bins_are_left_closed_and_right_open() -> None:
    card = scorecard()
    rest: dict[str, float | CellKind] = {"paid_in": 49.999, "tax_rate": 0.0}
    assert [card.score({"age": age, **rest}) for age in (11.9, 12, 35.9, 36)] == [492, 527, 527, 572]


def test_every_cell_that_is_no_value_has_points_of_its_own() -> None:
    card = scorecard()
    values: dict[str, float | CellKind] = {"age": 40, "paid_in": 80, "tax_rate": 0.3}
    base = card.score(values)
    assert card.score({**values, "age": CellKind.MISSING}) == base - 60 + 0
    assert card.score({**values, "age": CellKind.NOT_APPLICABLE}) == base - 60 + POLICIES["not_applicable"]
    assert card.score({**values, "age": CellKind.NOT_AUTHORIZED}) == base - 60 + POLICIES["not_authorized"]


def test_the_encrypted_vector_gives_the_same_score_for_every_record() -> None:
    card = scorecard()
    vector = card.vector()
    assert vector.dtype == np.int64 and vector.shape == (CATALOGUE.layout.size,) and vector.min() == 0
    for cells in product(*(range(len(feature.cells)) for feature in CATALOGUE.features)):
        active = np.array(CATALOGUE.layout.offsets) + np.array(cells)
        assert int(vector[active].sum()) + card.offset == card.score_cells(cells)


def test_category_ranges_add_up_to_the_whole() -> None:
    card = scorecard()
    ranges = card.category_ranges
    assert card.base_points + sum(entry.offset for entry in ranges.values()) == card.offset
    assert sum(entry.span for entry in ranges.values()) == card.prove().largest
    assert {code: entry.withheld for code, entry in ranges.items()} == {"registry": 2, "tax": 1}


def test_the_proof_states_the_headroom() -> None:
    proof = scorecard().prove(LINEAR_4096_T1024)
    assert proof.spans == {"age": 80, "paid_in": 39, "tax_rate": 16}
    assert proof.largest == 135 and proof.headroom == 1023 - 135


@pytest.mark.parametrize(("top", "fits"), [(1023, True), (1024, False)])
def test_the_largest_total_must_stay_below_the_plaintext_modulus(top: int, fits: bool) -> None:
    rows: Rows = [
        {"feature": "age", "lower": None, "upper": 24, "points": -1000},
        {"feature": "age", "lower": 24, "upper": None, "points": top - 1000},
    ]
    policies: dict[str, Any] = dict.fromkeys(("missing", "not_applicable", "not_authorized"), 0)
    card = Scorecard.from_table(rows, CATALOGUE, name="wide", **policies)
    if fits:
        assert card.prove().headroom == 0
        return
    with pytest.raises(PointsOverflow) as caught:
        card.vector()
    assert (caught.value.largest, caught.value.limit) == (1024, 1023)


def test_the_same_table_as_frame_and_as_csv(tmp_path: Path) -> None:
    rows: Rows = [
        {"lower": -math.inf, "upper": math.inf, "cell": None, **row} for row in ROWS if row.get("cell") is None
    ]
    for row in rows:
        row["lower"] = -math.inf if row["lower"] is None else row["lower"]
        row["upper"] = math.inf if row["upper"] is None else row["upper"]
    frame: Any = pd.DataFrame([*rows, {"feature": "age", "cell": "missing", "points": 0}])
    frame.to_csv(tmp_path / "card.csv", index=False)
    frame["woe"] = 0.5
    wanted = scorecard().digest
    forms: list[Any] = [frame, tmp_path / "card.csv", str(tmp_path / "card.csv")]
    for table in forms:
        assert Scorecard.from_table(table, CATALOGUE, name="sme", base_points=500, **POLICIES).digest == wanted


def test_the_digest_is_of_the_score_and_not_of_the_name() -> None:
    other = Scorecard("other name", CATALOGUE, scorecard().points, 500)
    assert other.digest == scorecard().digest != scorecard(base_points=501).digest


def test_printing_shows_no_points() -> None:
    card = Scorecard("sme", CATALOGUE, {"age": [77_777] * 9}, 88_888)
    assert "7777" not in repr(card) + str(card) and "88888" not in repr(card)


def _row(feature: str = "age", **rest: Any) -> dict[str, Any]:
    return {"feature": feature, "points": 1, "lower": None, "upper": None, **rest}


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ([_row(upper=12), _row(lower=24)], BinGap),
        ([_row(lower=12)], BinGap),
        ([_row(upper=12)], BinGap),
        ([_row(lower=None, upper=24), _row(lower=12)], BinOverlap),
        ([_row(), _row()], BinOverlap),
        ([_row(), *[{"feature": "age", "cell": "missing", "points": 1}] * 2], BinOverlap),
        ([{"feature": "age", "cell": "missing", "points": 1}], BinGap),
        ([_row(upper=13), _row(lower=13)], EdgeNotOnGrid),
        ([_row("nobody")], UnknownFeature),
        ([_row(points=1.5)], PointsInvalid),
        ([_row(points=float("nan"))], PointsInvalid),
        ([_row(points=None)], PointsInvalid),
        ([_row(points=True)], PointsInvalid),
        ([_row(points="twelve")], PointsInvalid),
        ([_row(points=10**400)], PointsInvalid),
        ([_row(lower=float("nan"))], TableInvalid),
        ([_row(lower="nan")], TableInvalid),
        ([_row(lower=12, upper=12)], TableInvalid),
        ([_row(lower=math.inf)], TableInvalid),
        ([_row(cell="other")], TableInvalid),
        ([_row(lower=3, cell="missing")], TableInvalid),
        ([{"feature": "age", "points": 1}], TableInvalid),
        ([{"points": 1}], TableInvalid),
        (["age"], TableInvalid),
        ([], TableInvalid),
        (17, TableInvalid),
        ("/nowhere/card.csv", TableInvalid),
    ],
)
def test_what_is_not_exact_is_refused(rows: Any, error: type[ScorecardError]) -> None:
    with pytest.raises(error):
        Scorecard.from_table(rows, CATALOGUE, name="bad", **POLICIES)


@pytest.mark.parametrize("line", ["age,1", "age,1,12", "age,1,,,,"])
def test_an_end_that_was_forgotten_in_a_file_is_no_open_end(tmp_path: Path, line: str) -> None:
    (tmp_path / "card.csv").write_text(f"feature,points,lower,upper,cell\n{line}\n")
    with pytest.raises(TableInvalid, match="row 1: not as many cells"):
        Scorecard.from_table(tmp_path / "card.csv", CATALOGUE, name="short", **POLICIES)


def test_an_edge_off_the_grid_names_its_neighbours() -> None:
    with pytest.raises(EdgeNotOnGrid, match="13 is not on the public grid; the nearest are 12 or 24") as caught:
        Scorecard.from_table([_row(upper=13), _row(lower=13)], CATALOGUE, name="bad", **POLICIES)
    assert (caught.value.below, caught.value.above) == (12, 24)
    with pytest.raises(EdgeNotOnGrid) as caught:
        Scorecard.from_table([_row(upper=61), _row(lower=61)], CATALOGUE, name="bad", **POLICIES)
    assert (caught.value.below, caught.value.above) == (60, None)


@pytest.mark.parametrize("cell", ["missing", "not_applicable", "not_authorized"])
def test_points_of_cells_without_a_value_must_be_said(cell: str) -> None:
    policies = {name: points for name, points in POLICIES.items() if name != cell}
    with pytest.raises(MissingPolicyRequired) as caught:
        Scorecard.from_table([_row()], CATALOGUE, name="bad", **policies)
    assert (caught.value.feature, caught.value.cell) == ("age", cell)


def test_rounding_happens_only_when_asked_for() -> None:
    rows = [_row(upper=12, points=0.5), _row(lower=12, upper=24, points=1.5), _row(lower=24, points=-2.51)]
    card = Scorecard.from_table(rows, CATALOGUE, name="rounded", rounding="nearest", **POLICIES)
    assert [card.score({"age": age}) for age in (0, 12, 24)] == [0, 2, -3]


@pytest.mark.parametrize(
    "values", [{}, {"age": float("nan")}, {"age": CellKind.VALUE}, {"age": "x"}, {"age": 1, "nobody": 1}]
)
def test_scoring_never_guesses(values: dict[str, Any]) -> None:
    card = Scorecard.from_table([_row()], CATALOGUE, name="one", **POLICIES)
    with pytest.raises(InputError):
        card.score(values)


@pytest.mark.parametrize("cells", [[0, 0], [0, 0, 99], [-1, 0, 0]])
def test_cells_must_exist(cells: list[int]) -> None:
    with pytest.raises(InputError):
        scorecard().score_cells(cells)


def test_the_21_categories_fit_one_scorecard() -> None:
    catalogue = builtin_catalogue()
    points = {f.code: [i % 11 for i in range(len(f.cells))] for f in catalogue.features}
    card = Scorecard("all features", catalogue, points)
    assert card.prove().largest <= 1023 and card.vector().shape == (catalogue.layout.size,)


@st.composite
def tables(draw: Callable[..., Any]) -> tuple[Rows, int]:
    """A valid table: some of the features, each cut at some of its grid edges, rows in any order."""
    codes = draw(st.lists(st.sampled_from(sorted(GRIDS)), min_size=1, unique=True))
    points = st.integers(-2000, 2000)
    rows: Rows = []
    for code in codes:
        edges = [None, *sorted(draw(st.sets(st.sampled_from(GRIDS[code])))), None]
        rows += [
            {"feature": code, "lower": edges[i], "upper": edges[i + 1], "points": draw(points)}
            for i in range(len(edges) - 1)
        ]
        rows += [
            {"feature": code, "cell": kind, "points": draw(points)}
            for kind in ("missing", "not_applicable", "not_authorized")
        ]
    return draw(st.permutations(rows)), draw(points)


VALUES = st.one_of(
    st.floats(allow_nan=False),
    st.sampled_from([edge for grid in GRIDS.values() for edge in grid]),
    st.sampled_from([CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED]),
)


def _by_hand(rows: Rows, base: int, values: dict[str, Any]) -> int:
    """The table read the way a person reads it."""
    total = base
    for row in rows:
        value = values[row["feature"]]
        if "cell" in row:
            hit = value == row["cell"]
        elif isinstance(value, CellKind):
            hit = False
        else:
            hit = (row["lower"] is None or row["lower"] <= value) and (row["upper"] is None or value < row["upper"])
        total += row["points"] if hit else 0
    return total


@given(tables(), st.fixed_dictionaries({code: VALUES for code in GRIDS}))
def test_any_valid_table_scores_as_it_reads(table: tuple[Rows, int], values: dict[str, Any]) -> None:
    rows, base = table
    card = Scorecard.from_table(rows, CATALOGUE, name="any", base_points=base)
    expected = _by_hand(rows, base, values)
    assert card.score(values) == expected == card.score_cells(cells_of(values))


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(),
    st.sampled_from([6, 12, 24, "12", "", "nan", "inf", "missing", "not_authorized", "value", "1e400"]),
    st.lists(st.integers(), max_size=1),
)
BROKEN = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {},
            optional={
                "feature": st.one_of(st.sampled_from(["age", "paid_in", "nobody"]), ANYTHING),
                "lower": ANYTHING,
                "upper": ANYTHING,
                "cell": ANYTHING,
                "points": ANYTHING,
            },
        ),
        ANYTHING,
    ),
    max_size=5,
)


@given(BROKEN)
def test_a_broken_table_raises_typed_errors_only(rows: list[Any]) -> None:
    try:
        Scorecard.from_table(rows, CATALOGUE, name="any", **POLICIES)
    except ScorecardError:
        pass


@given(st.lists(st.lists(st.integers(-700, 700), min_size=9, max_size=9), min_size=1, max_size=1))
def test_the_proof_is_the_exact_bound(rows: list[list[int]]) -> None:
    card = Scorecard("age alone", CATALOGUE, {"age": rows[0]})
    reached = [card.score_cells([cell, 0, 0]) - card.offset for cell in range(9)]
    if max(reached) < LINEAR_4096_T1024.plain_modulus:
        assert card.prove().largest == max(reached) and min(reached) == 0
        return
    with pytest.raises(PointsOverflow):
        card.prove()
