"""Writes pmml/. Run with sklearn2pmml 0.133.1, scikit-learn 1.9.0, optbinning 1.0.0, xgboost 3.2.0 and Java, and the
path of the credit card data; see the README there."""

# mypy: ignore-errors
# These libraries are not installed here.
import sys
import warnings
from pathlib import Path

import pandas as pd
from optbinning import BinningProcess, Scorecard
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder
from sklearn2pmml import sklearn2pmml
from sklearn2pmml.pipeline import PMMLPipeline
from xgboost import XGBClassifier

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "taiwan"))
from preparation import TARGET, WORDS, prepare, sample  # noqa: E402

RATIOS = "x05 x06 x09 x13 x21 x24 x25 x26 x27 x29 x34 x35 x39 x41 x46 x58".split()


def main(cards: str) -> None:
    warnings.simplefilter("ignore")
    out = HERE / "pmml"
    polish = pd.read_parquet(HERE.parent / "polish_companies" / "year5.parquet")
    ratios, bad = polish[RATIOS].astype("float64").round(6), polish["bankrupt"].astype("int64")
    rows = ratios.sample(1000, random_state=0).sort_index()

    scaling = {"pdo": 20, "odds": 1, "scorecard_points": 500}
    card = Scorecard(
        BinningProcess(RATIOS, max_n_prebins=8, min_prebin_size=0.05),
        LogisticRegression(C=0.5, max_iter=1000),
        scaling_method="pdo_odds",
        scaling_method_params=scaling,
        rounding=True,
    )
    points = PMMLPipeline([("scorecard", card)])
    points.fit(ratios, bad, scorecard__metric_missing="empirical")
    sklearn2pmml(points, str(out / "scorecard.pmml"))

    stumps = XGBClassifier(n_estimators=60, max_depth=1, learning_rate=0.3, n_jobs=1, random_state=0)
    boosted = PMMLPipeline([("stumps", stumps)])
    boosted.fit(ratios, bad)
    sklearn2pmml(boosted, str(out / "stumps.pmml"))
    scores = {"scorecard": card.score(rows), "stumps": stumps.predict(rows, output_margin=True)}
    pd.DataFrame(scores, index=rows.index).to_parquet(out / "polish_scores.parquet", compression="zstd")

    clients = prepare(cards).dropna(subset=list(WORDS))
    numbers = ["limit_bal", "age", "pay_amt1"]
    bins = KBinsDiscretizer(5, encode="onehot", strategy="quantile", subsample=None)
    coding = ColumnTransformer([("bins", bins, numbers), ("words", OneHotEncoder(), list(WORDS))])
    regression = PMMLPipeline([("coding", coding), ("regression", LogisticRegression(max_iter=1000))])
    regression.fit(clients[[*numbers, *WORDS]], clients[TARGET])
    sklearn2pmml(regression, str(out / "regression.pmml"))
    asked = sample(prepare(cards)).dropna(subset=list(WORDS))
    scores = {"regression": regression.decision_function(asked[[*numbers, *WORDS]])}
    pd.DataFrame(scores, index=asked.index).to_parquet(out / "taiwan_scores.parquet", compression="zstd")


if __name__ == "__main__":
    main(sys.argv[1])
