"""Live scikit-learn pipelines: bins and one-hot codes before a logistic regression."""

import io
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, PolynomialFeatures, SplineTransformer, StandardScaler

from bank_sdk import (
    ImportRefused,
    MissingPolicyRequired,
    OddsDirectionRequired,
    ScaleRequired,
    UnknownPolicyRequired,
    UnsafeFormat,
    UnsupportedElement,
    UnsupportedObjective,
    from_sklearn,
    load_any,
)
from tests.bank_sdk.importers.material import LOG_ODDS, MODELS, SCALE, WORDS, assert_same_log_odds, fitting

NUMBERS = ["limit_bal", "age", "bill_amt1"]
HOLES = ["pay_0", "pay_2"]


@pytest.fixture(scope="module")
def clients() -> pd.DataFrame:
    """1,000 real clients; repayment states have holes."""
    return pd.read_parquet(MODELS / "taiwan" / "rows.parquet").dropna(subset=list(WORDS))


def _bins(encode: str = "onehot") -> KBinsDiscretizer:
    return KBinsDiscretizer(
        6, encode=encode, strategy="quantile", subsample=None, quantile_method="averaged_inverted_cdf"
    )


def _regression() -> LogisticRegression:
    return LogisticRegression(max_iter=2000)


def _whole() -> Pipeline:
    """As one would write it: imputed and binned numbers, coded words."""
    holes = Pipeline([("fill", SimpleImputer(strategy="median")), ("bins", _bins("onehot-dense"))])
    words = OneHotEncoder(drop="first", handle_unknown="ignore")
    coding = ColumnTransformer([("n", _bins(), NUMBERS), ("h", holes, HOLES), ("w", words, list(WORDS))])
    return Pipeline([("coding", coding), ("regression", _regression())])


def _weighted() -> ColumnTransformer:
    return ColumnTransformer([("n", _bins(), NUMBERS)], transformer_weights={"n": 2.0})


def _fitted(pipeline: Pipeline, clients: pd.DataFrame, columns: list[str]) -> Pipeline:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pipeline.fit(clients[columns], clients["default_next_month"])


def test_real_clients_score_as_the_pipeline_scores_them(clients: pd.DataFrame) -> None:
    columns = [*NUMBERS, *HOLES, *WORDS]
    pipeline = _fitted(_whole(), clients, columns)
    imported = from_sklearn(pipeline)
    margins = pipeline.decision_function(clients[columns])
    assert len(clients) > 980 and imported.notes == ("log-odds of class 1",)
    assert_same_log_odds(imported, clients[columns].to_dict("records"), margins, missing=0, categories=WORDS)


@pytest.mark.parametrize(
    "coding",
    [
        lambda: [_bins("onehot")],
        lambda: [_bins("ordinal")],
        lambda: [_bins("ordinal"), OneHotEncoder()],
        lambda: [_bins("ordinal"), OneHotEncoder(drop="first", handle_unknown="ignore")],
        lambda: [SimpleImputer(), _bins()],
    ],
)
def test_every_way_to_code_numbers_is_read(coding: Callable[[], list[Any]], clients: pd.DataFrame) -> None:
    pipeline = _fitted(make_pipeline(*coding(), _regression()), clients, NUMBERS)
    margins = pipeline.decision_function(clients[NUMBERS])
    assert_same_log_odds(from_sklearn(pipeline), clients[NUMBERS].to_dict("records"), margins, missing=0)


def test_values_outside_the_training_data_fall_in_the_outer_bins(clients: pd.DataFrame) -> None:
    pipeline = _fitted(make_pipeline(_bins(), _regression()), clients, NUMBERS)
    far = pd.DataFrame([[-1e9, -1e9, -1e9], [1e9, 1e9, 1e9]], columns=NUMBERS)
    ours = [from_sklearn(pipeline).value(row) for row in far.to_dict("records")]
    np.testing.assert_allclose(ours, pipeline.decision_function(far), atol=1e-12)


def test_bins_of_32_bits_cast_their_inputs_before_comparing() -> None:
    """0.0999999999 becomes 0.10000000149, which is no longer below the edge 0.1."""
    bins = KBinsDiscretizer(2, strategy="uniform", dtype=np.float32, subsample=None)
    pipeline = make_pipeline(bins, _regression()).fit(np.array([[0.0], [0.05], [0.15], [0.2]]), [0, 0, 1, 1])
    imported = from_sklearn(pipeline)
    for value in (0.0999999999, 0.1, 0.09, 0.0999999978):
        assert imported.value({"x0": value}) == pytest.approx(pipeline.decision_function([[value]])[0], abs=1e-6)


def test_columns_chosen_by_a_mask_are_those_it_marks(clients: pd.DataFrame) -> None:
    coding = ColumnTransformer([("n", _bins(), [True, False, True])])
    pipeline = _fitted(make_pipeline(coding, _regression()), clients, NUMBERS)
    imported = from_sklearn(pipeline)
    assert {c.name for c in imported.characteristics} == {"limit_bal", "bill_amt1"}
    ours = [imported.value(row) for row in clients[NUMBERS].to_dict("records")]
    np.testing.assert_allclose(ours, pipeline.decision_function(clients[NUMBERS]), atol=1e-9)


def test_a_softmax_of_two_classes_is_refused(clients: pd.DataFrame) -> None:
    """Earlier versions have the setting; its probabilities are those of twice the log-odds."""
    pipeline = _fitted(make_pipeline(_bins(), _regression()), clients, NUMBERS)
    pipeline[-1].multi_class = "multinomial"
    with pytest.raises(UnsupportedObjective, match="multinomial") as caught:
        from_sklearn(pipeline)
    assert caught.value.place == "step logisticregression" and "multi_class" in caught.value.mend


def test_log_odds_become_points_only_with_a_scale_and_a_direction(clients: pd.DataFrame) -> None:
    imported = from_sklearn(_fitted(make_pipeline(_bins(), _regression()), clients, NUMBERS))
    grid = fitting(imported)
    with pytest.raises(ScaleRequired, match="scale="):
        imported.plan(grid)
    with pytest.raises(OddsDirectionRequired, match='positive="bad"'):
        imported.plan(grid, scale=SCALE)
    with pytest.raises(MissingPolicyRequired, match="missing"):
        imported.plan(grid, **LOG_ODDS)
    bad = imported.plan(grid, missing=0, **LOG_ODDS)
    good = imported.plan(grid, missing=0, **{**LOG_ODDS, "positive": "good"})
    assert bad.base_points + good.base_points == pytest.approx(2 * SCALE.offset, abs=1)


def test_an_unseen_category_needs_a_word_of_the_bank(clients: pd.DataFrame) -> None:
    """The encoder raises on it, unless it was told to ignore, which adds nothing."""
    pipeline = _fitted(make_pipeline(OneHotEncoder(), _regression()), clients, list(WORDS))
    imported = from_sklearn(pipeline)
    with pytest.raises(UnknownPolicyRequired):
        imported.plan(fitting(imported), missing=0, categories=WORDS, **LOG_ODDS)
    ignoring = make_pipeline(OneHotEncoder(handle_unknown="ignore"), _regression())
    assert all(c.other == 0 for c in from_sklearn(_fitted(ignoring, clients, list(WORDS))).characteristics)


@pytest.mark.parametrize(
    ("pipeline", "place"),
    [
        (lambda: make_pipeline(StandardScaler(), _regression()), "standardscaler"),
        (lambda: make_pipeline(StandardScaler(), _bins(), _regression()), "kbinsdiscretizer"),
        (lambda: make_pipeline(ColumnTransformer([("n", "passthrough", NUMBERS)]), _regression()), "n"),
        (lambda: make_pipeline(OneHotEncoder(min_frequency=50), _regression()), "onehotencoder"),
        (lambda: make_pipeline(SimpleImputer(add_indicator=True), _bins(), _regression()), "simpleimputer"),
        (lambda: make_pipeline(SplineTransformer(), _regression()), "splinetransformer"),
        (lambda: make_pipeline(PolynomialFeatures(), _regression()), "polynomialfeatures"),
        (lambda: make_pipeline(_weighted(), _regression()), "columntransformer"),
    ],
)
def test_other_codings_are_refused(pipeline: Callable[[], Pipeline], place: str, clients: pd.DataFrame) -> None:
    with pytest.raises(UnsupportedElement) as caught:
        from_sklearn(_fitted(pipeline(), clients, NUMBERS))
    assert place in caught.value.place and "KBinsDiscretizer" in caught.value.mend


def test_more_than_two_classes_are_refused(clients: pd.DataFrame) -> None:
    thirds = pd.qcut(clients["limit_bal"], 3, labels=False)
    with pytest.raises(UnsupportedObjective, match="good against bad"):
        from_sklearn(make_pipeline(_bins(), _regression()).fit(clients[NUMBERS], thirds))


@pytest.mark.parametrize("thing", [None, 17, "model.pkl", LogisticRegression(), _whole()])
def test_what_is_no_fitted_pipeline_is_refused(thing: Any) -> None:
    with pytest.raises(ImportRefused):
        from_sklearn(thing)


def test_its_pickle_is_never_opened(clients: pd.DataFrame) -> None:
    stream = io.BytesIO()
    pickle.dump(_fitted(make_pipeline(_bins(), _regression()), clients, NUMBERS), stream)
    with pytest.raises(UnsafeFormat) as caught:
        load_any(stream.getvalue())
    assert "live object" in caught.value.mend
