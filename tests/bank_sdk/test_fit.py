"""Fitting on the catalogue's cells, on real companies: as good as the library's regression, exact on the grid."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from xinyidai.catalogue import Catalogue, CellKind, parse_catalogue

from bank_sdk import (
    InputError,
    ParityReport,
    PointsOverflow,
    Scale,
    Scorecard,
    ScorecardOptions,
    StumpOptions,
    TrainedModel,
    UnknownFeature,
    codes_of,
    discrimination,
    parity_report,
    train_on_codes,
)
from bank_sdk.fit.codes import take
from bank_sdk.fit.train import split_rows
from bank_sdk.fit.woe import logistic, woe_table
from tests.support import polish


@dataclass(frozen=True)
class Companies:
    catalogue: Catalogue
    codes: dict[str, NDArray[np.int64]]
    outcome: NDArray[np.int64]
    frame: Any
    fitted: Any
    """An optbinning scorecard whose edges the catalogue's grid holds."""

    def train(self, kind: str, **changes: Any) -> TrainedModel:
        return train_on_codes(self.codes, self.outcome, self.catalogue, kind, **changes)  # type: ignore[arg-type]

    def halves(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The rows `train_on_codes` fits on by default, and those it holds out."""
        return split_rows(self.outcome.astype(np.float64), 0.3, 0)


@pytest.fixture(scope="module")
def companies() -> Companies:
    frame = polish.load()
    train, _ = polish.split(frame)
    fitted = polish.fit(train)
    catalogue = parse_catalogue(polish.catalogue_yaml(train, fitted))
    ratios = frame[list(polish.RATIOS)]
    return Companies(catalogue, codes_of(ratios, catalogue), frame[polish.OUTCOME].to_numpy(), ratios, fitted)


def woe_columns(companies: Companies, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight of evidence learned on `rows`, for every row."""
    bad = companies.outcome[rows].astype(np.float64)
    known = take(companies.codes, rows)
    columns = []
    for code, cells in known.items():
        woe, _ = woe_table(companies.catalogue.feature(code), cells, bad, 0, ScorecardOptions())
        columns.append(np.nan_to_num(woe)[companies.codes[code]])
    return np.column_stack(columns)


def test_codes_are_the_cells_the_enclave_would_use(companies: Companies) -> None:
    for code in polish.RATIOS:
        feature = companies.catalogue.feature(code)
        for value, cell in list(zip(companies.frame[code], companies.codes[code], strict=True))[:300]:
            assert cell == (feature.missing if np.isnan(value) else feature.cell_of(value))
    assert codes_of({"x06": [None, "not_applicable", CellKind.NOT_AUTHORIZED, 0.0]}, companies.catalogue)["x06"][
        :3
    ].tolist() == [companies.catalogue.feature("x06").missing + i for i in range(3)]


def test_the_regression_is_scikit_learns(companies: Companies) -> None:
    rows, _ = companies.halves()
    design, good = woe_columns(companies, rows)[rows], 1 - companies.outcome[rows]
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(design, good)
    intercept, weights = logistic(design, good.astype(np.float64), 1.0)
    assert np.abs(weights - theirs.coef_[0]).max() < 1e-5
    assert abs(intercept - theirs.intercept_[0]) < 1e-5


@pytest.mark.parametrize("positive", [True, False])
def test_a_trained_scorecard_separates_as_well_as_scikit_learn_on_woe(companies: Companies, positive: bool) -> None:
    rows, held_out = companies.halves()
    design, good = woe_columns(companies, rows), 1 - companies.outcome
    theirs = LogisticRegression(C=1.0, max_iter=10_000).fit(design[rows], good[rows])
    auc = roc_auc_score(good[held_out], theirs.decision_function(design[held_out]))
    options = ScorecardOptions() if positive else ScorecardOptions(positive_weights=False, min_iv=0)
    ours = companies.train("scorecard", options=options).parity.ours
    assert ours is not None
    assert abs(ours.auc - auc) < (0.01 if positive else 0.002)


def test_stumps_are_better_than_a_scorecard_and_still_a_points_table(companies: Companies) -> None:
    card, stumps = companies.train("scorecard").parity.ours, companies.train("stumps").parity.ours
    assert card is not None and stumps is not None
    assert stumps.auc > card.auc + 0.01 and stumps.auc > 0.91


@pytest.mark.parametrize("kind", ["scorecard", "stumps"])
def test_points_are_whole_and_only_rounded(companies: Companies, kind: str) -> None:
    model = companies.train(kind)
    assert model.proof.largest < 1024 and model.proof == model.scorecard.prove()
    assert 0 < model.parity.largest_difference <= model.rounding_bound
    reference, ours = model.parity.reference, model.parity.ours
    assert reference is not None and ours is not None and abs(reference.auc - ours.auc) < 0.001
    # The plaintext twin of one row, from its cells and from its values.
    row = {code: int(cells[7]) for code, cells in companies.codes.items()}
    values = {c: float(companies.frame[c].iloc[7]) for c in model.scorecard.points}
    spoken = {c: CellKind.MISSING if np.isnan(v) else v for c, v in values.items()}
    assert model.score(companies.codes)[7] == model.scorecard.score(spoken)
    assert model.scorecard.score(spoken) == model.scorecard.score_cells([row[c] for c in polish.RATIOS])


@pytest.mark.parametrize("kind", ["scorecard", "stumps"])
def test_monotone_features_are_monotone_in_points(companies: Companies, kind: str) -> None:
    wanted = {"x06": 1, "x46": 1, "x41": -1, "x29": 0}
    model = companies.train(kind, monotone=wanted)
    checked = 0
    for code, sign in wanted.items():
        if sign and code in model.scorecard.points:
            values = np.array(model.scorecard.points[code][: companies.catalogue.feature(code).missing])
            assert (sign * np.diff(values) >= 0).all()
            checked += 1
    assert checked
    everywhere = companies.train(kind, monotone="catalogue")
    for code, points in everywhere.scorecard.points.items():
        assert (np.diff(points[: companies.catalogue.feature(code).missing]) >= 0).all()


def test_the_same_arguments_give_the_same_model(companies: Companies) -> None:
    options = StumpOptions(rounds=40, subsample=0.7)
    first = companies.train("stumps", seed=3, options=options)
    assert companies.train("stumps", seed=3, options=options).scorecard.digest == first.scorecard.digest
    assert companies.train("stumps", seed=4, options=options).scorecard.digest != first.scorecard.digest


def test_cells_too_rare_to_judge_are_listed_and_get_what_was_asked(companies: Companies) -> None:
    neutral, worst = companies.train("scorecard"), companies.train("scorecard", unseen="worst")
    code = next(iter(worst.scorecard.points))
    withheld = companies.catalogue.feature(code).not_authorized
    assert (code, CellKind.NOT_AUTHORIZED) in neutral.assumed
    assert worst.scorecard.points[code][withheld] == min(worst.scorecard.points[code])
    assert neutral.scorecard.points[code][withheld] > min(neutral.scorecard.points[code])


def test_a_scale_decides_points_and_their_direction(companies: Companies) -> None:
    risky = companies.train("scorecard", scale=Scale(20, 400, 1 / 50, "bad:good", "riskier"))
    assert risky.parity.ours is not None and risky.parity.ours.auc > 0.85
    with pytest.raises(PointsOverflow, match="smaller PDO"):
        companies.train("stumps", scale=Scale(60, 600, 50, "good:bad"))


def test_a_parity_report_is_kept_with_the_digest_of_its_model(companies: Companies, tmp_path: Path) -> None:
    model = companies.train("scorecard")
    path = model.parity.save(tmp_path)
    assert path.name == f"{model.scorecard.digest}.parity.json"
    assert ParityReport.load(path, model.scorecard) == model.parity
    other = companies.train("stumps", options=StumpOptions(rounds=5)).scorecard
    with pytest.raises(InputError, match="another scorecard"):
        ParityReport.load(path, other)
    path.write_text("{}")
    with pytest.raises(InputError, match="not a parity report"):
        ParityReport.load(path, model.scorecard)


def test_parity_of_an_imported_scorecard_is_perfect(companies: Companies) -> None:
    _, held_out = polish.split(polish.load())
    fitted = companies.fitted
    card = Scorecard.from_optbinning(fitted, companies.catalogue, not_applicable=0, not_authorized=0)
    codes = codes_of(held_out[list(polish.RATIOS)], companies.catalogue)
    report = parity_report(card, codes, polish.scores(fitted, held_out), outcome=held_out[polish.OUTCOME].to_numpy())
    assert (report.largest_difference, report.band_agreement, report.psi) == (0.0, 1.0, 0.0)
    assert report.reference == report.ours
    with pytest.raises(InputError, match="reference score"):
        parity_report(card, codes, [1.0])


def test_metrics_are_the_librarys_with_ties(companies: Companies) -> None:
    generator = np.random.default_rng(0)
    outcome = generator.integers(0, 2, 500)
    score = generator.integers(0, 20, 500) - 3 * outcome
    found = discrimination(score, outcome)
    false, true, _ = roc_curve(outcome, -score)
    assert found.auc == pytest.approx(roc_auc_score(outcome, -score), abs=1e-12)
    assert found.ks == pytest.approx(float(np.max(true - false)), abs=1e-12)
    assert discrimination(-score, outcome, higher_is="riskier") == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"outcome": [0, 1]}, "one outcome for each"),
        ({"outcome": "zeros"}, "only one class"),
        ({"kind": "forest"}, "kind is"),
        ({"codes": {"x06": [0.5]}}, "use codes_of"),
        ({"codes": {"x06": [99]}}, "has cells 0 to"),
        ({"codes": {}}, "no feature"),
        ({"monotone": {"x06": 2}}, "monotone constraint"),
        ({"holdout": 1.0}, "holdout"),
        ({"unseen": "hidden"}, "unseen"),
        ({"options": StumpOptions()}, "ScorecardOptions"),
    ],
)
def test_what_cannot_be_fitted_is_refused(companies: Companies, changes: dict[str, Any], message: str) -> None:
    given: dict[str, Any] = {"codes": companies.codes, "outcome": companies.outcome, "kind": "scorecard", **changes}
    if given["outcome"] is not None and str(given["outcome"]) == "zeros":
        given["outcome"] = np.zeros_like(companies.outcome)
    codes, outcome, kind = given.pop("codes"), given.pop("outcome"), given.pop("kind")
    with pytest.raises(InputError, match=message):
        train_on_codes(codes, outcome, companies.catalogue, kind, **given)


def test_unknown_features_are_named(companies: Companies) -> None:
    with pytest.raises(UnknownFeature, match="profit"):
        codes_of({"profit": [1.0]}, companies.catalogue)
    with pytest.raises(UnknownFeature, match="x99"):
        companies.train("scorecard", monotone={"x99": 1})


def test_printing_shows_no_points(companies: Companies) -> None:
    model = companies.train("scorecard")
    shown = repr(model) + repr(replace(model, dropped={}).unrounded)
    assert "redacted" in shown and "contributions" not in shown and "spans" not in shown
