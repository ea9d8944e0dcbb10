"""Trees fitted on the catalogue's cells, on real companies: whole points, monotone, as good as before rounding."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CellKind, parse_catalogue

from bank_sdk import (
    InputError,
    ParityReport,
    PointsOverflow,
    Scale,
    TrainedTrees,
    TreeModel,
    TreeOptions,
    codes_of,
    train_trees,
)
from bank_sdk.fit.codes import score_codes
from tests.bank_sdk.importers.material import catalogue
from tests.load import quality
from tests.support import polish

SMALL = TreeOptions(rounds=30, depth=3, learning_rate=0.2)


@pytest.fixture(scope="module")
def companies() -> tuple[Catalogue, dict[str, NDArray[np.int64]], NDArray[np.int64]]:
    frame = polish.load()
    ratios = frame[list(polish.RATIOS)]
    grids = {name: polish.grid(ratios[name].to_numpy(), ()) for name in polish.RATIOS}
    made = parse_catalogue(polish.yaml_of(grids))
    return made, codes_of(ratios, made), frame[polish.OUTCOME].to_numpy()


@pytest.fixture(scope="module")
def trained(companies: Any) -> TrainedTrees:
    made, codes, outcome = companies
    return train_trees(codes, outcome, made, options=SMALL, seed=1)


def test_whole_points_are_as_good_as_the_trees_before_rounding(trained: TrainedTrees) -> None:
    reference, ours = trained.parity.reference, trained.parity.ours
    assert reference is not None and ours is not None
    assert ours.auc > 0.92 and abs(ours.auc - reference.auc) < 0.002
    # Thirty roundings of half a point each would be 15; carried over from tree to tree they do not add up.
    assert trained.parity.mean_difference < 2 and trained.parity.band_agreement > 0.9
    assert trained.proof == trained.model.prove() and trained.proof.depth == 3


def test_the_vectorized_score_is_the_plaintext_twin(trained: TrainedTrees, companies: Any) -> None:
    made, codes, _ = companies
    found = trained.score(codes)
    for at in range(0, 5000, 500):
        assert found[at] == trained.model.score_cells([int(codes[feature.code][at]) for feature in made.features])


def test_the_same_arguments_give_the_same_model(trained: TrainedTrees, companies: Any) -> None:
    made, codes, outcome = companies
    assert train_trees(codes, outcome, made, options=SMALL, seed=1).model.digest == trained.model.digest
    assert train_trees(codes, outcome, made, options=SMALL, seed=2).model.digest != trained.model.digest


@pytest.mark.parametrize("higher_is", ["better", "riskier"])
def test_monotone_features_are_monotone_in_whole_points(companies: Any, higher_is: Any) -> None:
    made, codes, outcome = companies
    scale = Scale(20, 600, 50, "good:bad", higher_is)
    signs = {"x24": 1, "x29": -1, "x41": -1}
    trained = train_trees(codes, outcome, made, options=SMALL, monotone=signs, scale=scale)
    for code, sign in signs.items():
        values = made.feature(code).missing
        rows = {name: np.repeat(cells[:40], values) for name, cells in codes.items()}
        rows[code] = np.tile(np.arange(values), 40)
        steps = np.diff(score_codes(trained.model, rows).reshape(40, values), axis=1)
        assert (steps * sign * (1 if higher_is == "better" else -1) >= 0).all(), code
    assert trained.parity.ours is not None and trained.parity.ours.auc > 0.85


def test_cells_without_a_value_are_judged_where_there_are_rows_and_assumed_where_there_are_none() -> None:
    """Bads are those that are not applicable: only a cell of their own can say so."""
    made = catalogue({"a": [0.0, 1.0], "b": [0.0, 1.0]})
    generator = np.random.default_rng(0)
    outcome = generator.integers(0, 2, 2000)
    noise = generator.normal(size=2000)
    column = [CellKind.NOT_APPLICABLE if bad else value for bad, value in zip(outcome, noise, strict=True)]
    codes = codes_of({"a": column, "b": generator.normal(size=2000)}, made)
    options = TreeOptions(rounds=10, depth=2, learning_rate=0.3)
    models = {
        unseen: train_trees(codes, outcome, made, options=options, unseen=unseen) for unseen in ("neutral", "worst")
    }
    for trained in models.values():
        assert trained.parity.ours is not None and trained.parity.ours.auc == 1.0
        assert ("a", CellKind.NOT_APPLICABLE) not in trained.assumed
        assert {("a", CellKind.NOT_AUTHORIZED), ("a", CellKind.MISSING)} <= set(trained.assumed)

    def at(model: TreeModel, kind: CellKind) -> int:
        row = codes_of({"a": [kind], "b": [0.5]}, made)
        return int(score_codes(model, row)[0])

    assert at(models["worst"].model, CellKind.NOT_AUTHORIZED) <= at(models["neutral"].model, CellKind.NOT_AUTHORIZED)
    for trained in models.values():
        applicable = int(score_codes(trained.model, codes_of({"a": [0.5], "b": [0.5]}, made))[0])
        assert at(trained.model, CellKind.NOT_APPLICABLE) < applicable


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"options": {"depth": 6}}, "depth is 1 to 5"),
        ({"options": {"depth": 5, "rounds": 200}}, "4096"),
        ({"unseen": "best"}, "unseen"),
        ({"monotone": {"x06": 2}}, "monotone"),
        ({"holdout": 1.0}, "holdout"),
        ({"options": {"min_rows": 4000, "rounds": 2}}, "no split"),
    ],
)
def test_what_cannot_be_fitted_is_refused(companies: Any, changes: dict[str, Any], says: str) -> None:
    made, codes, outcome = companies
    with pytest.raises(InputError, match=says):
        options = TreeOptions(**changes.pop("options", {"rounds": 2}))
        train_trees(codes, outcome, made, options=options, **changes)


def test_points_that_do_not_fit_are_refused(companies: Any) -> None:
    made, codes, outcome = companies
    with pytest.raises(PointsOverflow):
        train_trees(codes, outcome, made, options=SMALL, scale=Scale(200, 600, 50, "good:bad"))


def test_the_parity_report_is_filed_with_the_models_digest(trained: TrainedTrees, tmp_path: Any) -> None:
    path = trained.parity.save(tmp_path)
    assert path.name.startswith(trained.model.digest)
    assert ParityReport.load(path, trained.model) == trained.parity
    assert "points=" not in repr(trained) or "redacted" in repr(trained)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from(["neutral", "worst"]))
def test_any_data_give_a_model_whose_twin_agrees_or_a_typed_error(seed: int, depth: int, unseen: Any) -> None:
    made = catalogue({"a": [0.0], "b": [-1.0, 0.0, 1.0]})
    generator = np.random.default_rng(seed)
    rows = int(generator.integers(10, 200))
    cells = {f.code: generator.integers(0, len(f.cells), rows) for f in made.features}
    outcome = generator.integers(0, 2, rows)
    options = TreeOptions(rounds=5, depth=depth, min_rows=int(generator.integers(1, 10)), learning_rate=0.5)
    try:
        trained = train_trees(cells, outcome, made, options=options, unseen=unseen, seed=seed % 1000)
    except InputError:
        return
    found = trained.score(cells)
    assert found[0] == trained.model.score_cells([int(cells[f.code][0]) for f in made.features])
    assert trained.model.prove().depth <= depth


def test_frames_of_cells_are_taken_too(companies: Any) -> None:
    made, codes, outcome = companies
    frame = pd.DataFrame(codes)
    assert (
        train_trees(frame, outcome, made, options=TreeOptions(rounds=3)).model.digest
        == train_trees(codes, outcome, made, options=TreeOptions(rounds=3)).model.digest
    )


@pytest.mark.parametrize("name", quality.DATA)
def test_the_public_grid_and_whole_points_cost_no_discrimination(name: str) -> None:
    """Against the same trees on raw values: one part in five hundred of AUC at most, on rows held out."""
    found = quality.measure(name)
    assert found.codes > found.raw - 0.002 and found.raw > 0.75
