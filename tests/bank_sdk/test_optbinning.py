"""A fitted optbinning scorecard comes over with exactly its own scores. The SDK itself never imports optbinning."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from optbinning import BinningProcess
from optbinning import Scorecard as Fitted
from sklearn.linear_model import LogisticRegression
from xinyidai.catalogue import CellKind

from bank_sdk import (
    BinOverlap,
    EdgeNotOnGrid,
    ImportRefused,
    MissingPolicyRequired,
    PointsInvalid,
    Scorecard,
    UnknownFeature,
)
from tests.bank_sdk.materials import CATALOGUE, cells_of

pytestmark = pytest.mark.filterwarnings("ignore")
SPLITS: Final = {"age": [12, 36], "paid_in": [25, 50, 75], "tax": [0.1, 0.25]}
NAMES: Final = {"tax": "tax_rate"}
POLICIES: Final[Mapping[str, Any]] = {"not_applicable": 0, "not_authorized": -5}


def _records(count: int, seed: int) -> pd.DataFrame:
    """Synthetic firms with holes; values often fall exactly on an edge."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": generator.integers(0, 80, count).astype(float),
            "paid_in": generator.choice([0.0, 25.0, 49.9, 50.0, 75.0, 99.0], count),
            "tax": generator.choice([0.05, 0.1, 0.2, 0.25, 0.3], count),
        }
    )
    return frame.mask(generator.random(frame.shape) < 0.1)


def _fit(splits: Mapping[str, Any] = SPLITS, records: pd.DataFrame | None = None, **settings: Any) -> Any:
    frame = _records(1500, seed=1) if records is None else records
    risk = 1.5 - 0.03 * frame["age"].fillna(10) - 0.01 * frame["paid_in"].fillna(10)
    bad = np.random.default_rng(2).random(len(frame)) < 1 / (1 + np.exp(-risk))
    fits = {name: {"user_splits": edges, "user_splits_fixed": [True] * len(edges)} for name, edges in splits.items()}
    process = BinningProcess(
        list(frame.columns),
        binning_fit_params=fits,
        special_codes=settings.pop("special_codes", None),
        categorical_variables=settings.pop("categorical", None),
    )
    scaling = {"pdo": 20, "odds": 1, "scorecard_points": 500}
    arguments = {
        "scaling_method": "pdo_odds",
        "scaling_method_params": scaling,
        "rounding": True,
        "intercept_based": True,
        **settings,
    }
    fitted = Fitted(process, LogisticRegression(), **arguments)
    return fitted.fit(frame, bad, metric_missing="empirical")


@pytest.fixture(scope="module")
def fitted() -> Any:
    return _fit()


def _values(row: Mapping[str, float]) -> dict[str, float | CellKind]:
    return {NAMES.get(name, name): CellKind.MISSING if np.isnan(value) else float(value) for name, value in row.items()}


def test_a_thousand_records_score_exactly_alike(fitted: Any) -> None:
    card = Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, **POLICIES)
    records = _records(1000, seed=3)
    ours = [card.score(_values(row)) for row in records.to_dict("records")]
    assert ours == [int(score) for score in fitted.score(records)]
    assert ours == [card.score_cells(cells_of(_values(row))) for row in records.to_dict("records")]
    assert card.prove().headroom >= 0


def test_an_intercept_becomes_the_base_points(fitted: Any) -> None:
    card = Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, **POLICIES)
    assert card.base_points == int(fitted.intercept_) != 0


def test_points_come_by_position_and_cut_points_from_splits() -> None:
    """The labels of the table are rounded to 0.10 and 0.25 here; a card read from labels would be another card."""
    fitted = _fit({**SPLITS, "tax": [0.1, 0.25]})
    table = fitted.table(style="detailed")
    fitted._df_scorecard = table.assign(Bin="(-inf, 0.00)")
    records = _records(200, seed=4)
    card = Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, **POLICIES)
    assert [card.score(_values(row)) for row in records.to_dict("records")] == [int(s) for s in fitted.score(records)]


def test_fractions_are_refused_or_rounded_on_request() -> None:
    fitted = _fit(rounding=False)
    with pytest.raises(PointsInvalid, match="rounding"):
        Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, **POLICIES)
    card = Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, rounding="nearest", **POLICIES)
    records = _records(300, seed=5)
    for row, score in zip(records.to_dict("records"), fitted.score(records), strict=True):
        assert abs(card.score(_values(row)) - score) <= 0.5 * 4


def test_a_split_off_the_grid_is_refused_with_its_neighbours() -> None:
    with pytest.raises(EdgeNotOnGrid) as caught:
        Scorecard.from_optbinning(_fit({**SPLITS, "age": [13, 36]}), CATALOGUE, features=NAMES, **POLICIES)
    assert (caught.value.edge, caught.value.below, caught.value.above) == (13, 12, 24)


def test_names_must_lead_to_one_feature_each(fitted: Any) -> None:
    with pytest.raises(UnknownFeature, match="tax"):
        Scorecard.from_optbinning(fitted, CATALOGUE, **POLICIES)
    with pytest.raises(BinOverlap):
        Scorecard.from_optbinning(fitted, CATALOGUE, features={**NAMES, "paid_in": "age"}, **POLICIES)


def test_cells_the_fit_never_saw_must_be_given_points(fitted: Any) -> None:
    with pytest.raises(MissingPolicyRequired):
        Scorecard.from_optbinning(fitted, CATALOGUE, features=NAMES, not_applicable=0)


def test_special_codes_are_refused() -> None:
    records = _records(1500, seed=1).fillna({"age": -9.0})
    with pytest.raises(ImportRefused, match="special codes"):
        Scorecard.from_optbinning(_fit(records=records, special_codes=[-9.0]), CATALOGUE, features=NAMES, **POLICIES)


def test_categorical_variables_are_refused() -> None:
    records = _records(1500, seed=1)
    records["tax"] = np.where(records["age"].fillna(0) > 30, "old", "young")
    splits = {name: SPLITS[name] for name in ("age", "paid_in")}
    with pytest.raises(ImportRefused, match="categorical"):
        Scorecard.from_optbinning(
            _fit(splits, records=records, categorical=["tax"]), CATALOGUE, features=NAMES, **POLICIES
        )


def test_a_table_that_disagrees_with_score_is_refused() -> None:
    class Tampered:
        """A fitted object whose score() is not what its table says."""

        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        def score(self, frame: pd.DataFrame) -> Any:
            return self._inner.score(frame) + (frame["age"] == 36)

    with pytest.raises(ImportRefused, match="disagree"):
        Scorecard.from_optbinning(Tampered(_fit()), CATALOGUE, features=NAMES, **POLICIES)


@pytest.mark.parametrize("thing", [None, 17, "scorecard.pkl"])
def test_something_else_is_refused(thing: Any) -> None:
    with pytest.raises(ImportRefused):
        Scorecard.from_optbinning(thing, CATALOGUE, **POLICIES)
