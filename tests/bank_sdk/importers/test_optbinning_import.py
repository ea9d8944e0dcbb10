"""Live optbinning scorecards as imports: splits, categories, special codes, and their own score held against them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from optbinning import BinningProcess
from optbinning import Scorecard as Fitted
from sklearn.linear_model import LinearRegression, LogisticRegression
from xinyidai.catalogue import CellKind, builtin_catalogue

from bank_sdk import (
    ImportRefused,
    ParityFailed,
    Scorecard,
    SpecialValueUnmapped,
    UnknownPolicyRequired,
    UnsupportedObjective,
    from_optbinning,
)
from tests.bank_sdk.importers.material import MODELS, POLICIES, WORDS, fitting, scored
from tests.support import polish

pytestmark = pytest.mark.filterwarnings("ignore")
COLUMNS = ["limit_bal", "age", "pay_0", "education"]
SAID: dict[str, Any] = {"categories": WORDS, "unknown": 0, **POLICIES}


@pytest.fixture(scope="module")
def clients() -> pd.DataFrame:
    return pd.read_parquet(MODELS / "taiwan" / "rows.parquet")


def _fit(clients: pd.DataFrame, **settings: Any) -> Any:
    process = BinningProcess(COLUMNS, categorical_variables=["education"], **settings.pop("process", {}))
    scaling = {"pdo": 20, "odds": 1, "scorecard_points": 500}
    card = Fitted(
        process,
        LogisticRegression(),
        **{"scaling_method": "pdo_odds", "scaling_method_params": scaling, "rounding": True, **settings},
    )
    return card.fit(clients[COLUMNS], clients["default_next_month"].to_numpy(), metric_missing="empirical")


def test_a_thousand_companies_score_exactly_alike() -> None:
    frame = polish.load()
    train, _ = polish.split(frame)
    card = polish.fit(train)
    imported = from_optbinning(card)
    plan = imported.plan(fitting(imported), **POLICIES)
    rows = frame.sample(1000, random_state=0).drop(columns=polish.OUTCOME)
    assert plan.exact and scored(imported, plan, rows.to_dict("records")).tolist() == polish.scores(card, rows).tolist()


@pytest.mark.parametrize("intercept", [False, True])
def test_categories_and_an_intercept_come_over(clients: pd.DataFrame, intercept: bool) -> None:
    fitted = _fit(clients, intercept_based=intercept)
    imported = from_optbinning(fitted)
    plan = imported.plan(fitting(imported), **SAID)
    ours = scored(imported, plan, clients[COLUMNS].to_dict("records"))
    assert ours.tolist() == fitted.score(clients[COLUMNS]).astype(int).tolist()


def test_cut_points_are_those_of_the_splits_and_not_of_the_labels(clients: pd.DataFrame) -> None:
    frame = clients.assign(limit_bal=clients["limit_bal"] / 1e8)
    fitted = _fit(frame)
    labels = fitted.table(style="detailed").query("Variable == 'limit_bal'")["Bin"]
    assert labels.str.contains(r"\[0.00, 0.00\)").any(), "the labels lost the cut points"
    assert from_optbinning(fitted).edges["limit_bal"] == tuple(
        fitted.binning_process_.get_binned_variable("limit_bal").splits
    )


def test_the_library_has_two_scores_for_an_unseen_category_and_the_bank_chooses(clients: pd.DataFrame) -> None:
    imported = from_optbinning(_fit(clients))
    with pytest.raises(UnknownPolicyRequired):
        imported.plan(fitting(imported), categories=WORDS, **POLICIES)
    card = imported.to_scorecard(imported.plan(fitting(imported), **{**SAID, "unknown": 77}))
    assert card.points["education"][5] == 77


def test_special_codes_must_be_declared(clients: pd.DataFrame) -> None:
    process = {"binning_fit_params": {"pay_0": {"special_codes": [-1]}}}
    imported = from_optbinning(_fit(clients, process=process))
    with pytest.raises(SpecialValueUnmapped, match="'special'") as caught:
        imported.plan(fitting(imported), **SAID)
    assert "specials=" in caught.value.mend
    said = {**SAID, "specials": {"pay_0": {"special": CellKind.NOT_APPLICABLE}}}
    assert imported.to_scorecard(imported.plan(fitting(imported), **said)).points["pay_0"]


def test_a_table_that_disagrees_with_score_is_refused(clients: pd.DataFrame) -> None:
    class Tampered:
        """A fitted object whose score() is not what its table says."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def score(self, frame: pd.DataFrame) -> Any:
            return self._inner.score(frame) + frame["education"].isna()

    with pytest.raises(ParityFailed) as caught:
        from_optbinning(Tampered(_fit(clients)))
    assert caught.value.largest >= 1 and caught.value.mend


def test_a_scorecard_of_a_number_is_refused(clients: pd.DataFrame) -> None:
    """A linear regression has no odds, so its points have no probability of default."""
    scaling = {"min": 0, "max": 100}
    card = Fitted(
        BinningProcess(["age", "pay_0"]), LinearRegression(), scaling_method="min_max", scaling_method_params=scaling
    )
    card.fit(clients[["age", "pay_0"]], clients["limit_bal"].to_numpy(np.float64) + 0.5)
    for read in (from_optbinning, lambda fitted: Scorecard.from_optbinning(fitted, builtin_catalogue(), name="n")):
        with pytest.raises(UnsupportedObjective, match="good against bad") as caught:
            read(card)
        assert caught.value.place == "Scorecard" and "binary" in caught.value.mend


@pytest.mark.parametrize("thing", [None, 17, "scorecard.pkl", Fitted(BinningProcess(COLUMNS), LogisticRegression())])
def test_something_else_is_refused(thing: Any) -> None:
    with pytest.raises(ImportRefused):
        from_optbinning(thing)
