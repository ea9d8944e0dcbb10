"""Writes xgboost/. Run with xgboost 3.2.0 and the path of the credit card data; see the README there."""

# mypy: ignore-errors
# These libraries are not installed here.
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xgboost as xgb

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "taiwan"))
from preparation import NUMBERS, TARGET, WORDS, prepare  # noqa: E402

RATIOS = "x05 x06 x09 x13 x21 x24 x25 x26 x27 x29 x34 x35 x39 x41 x46 x58".split()
STUMPS: dict[str, Any] = {"max_depth": 1, "eta": 0.3, "objective": "binary:logistic", "seed": 0, "nthread": 1}


def train(data: xgb.DMatrix, rounds: int, **changes: Any) -> xgb.Booster:
    return xgb.train({**STUMPS, **changes}, data, rounds)


def main(cards: str) -> None:
    out = HERE / "xgboost"
    polish = pd.read_parquet(HERE.parent / "polish_companies" / "year5.parquet")
    ratios, bad = polish[RATIOS].astype("float64").round(6), polish["bankrupt"]
    data = xgb.DMatrix(ratios, bad)
    rows = ratios.sample(1000, random_state=0).sort_index()
    asked = xgb.DMatrix(rows)
    stumps = train(data, 120)
    stumps.save_model(out / "stumps.json")
    stumps.save_model(out / "stumps.ubj")
    held = np.arange(len(ratios)) % 3 == 0
    fitted, tested = xgb.DMatrix(ratios[~held], bad[~held]), xgb.DMatrix(ratios[held], bad[held])
    stop: dict[str, Any] = {"evals": [(tested, "held")], "early_stopping_rounds": 15, "verbose_eval": False}
    early = xgb.train({**STUMPS, "eta": 0.8}, fitted, 200, **stop)
    early.save_model(out / "early.json")
    margins = {
        "stumps": stumps.predict(asked, output_margin=True),
        "early": early.predict(asked, output_margin=True, iteration_range=(0, early.best_iteration + 1)),
    }
    pd.DataFrame(margins, index=rows.index).to_parquet(out / "scores.parquet", compression="zstd")
    deep = train(data, 5, max_depth=3)
    deep.save_model(out / "depth3.json")
    margins = {"depth3": deep.predict(asked, output_margin=True)}
    pd.DataFrame(margins, index=rows.index).to_parquet(out / "depth3_scores.parquet", compression="zstd")
    train(data, 5, booster="dart", rate_drop=0.5).save_model(out / "dart.json")
    xgb.train({"booster": "gblinear", "objective": "binary:logistic"}, data, 5).save_model(out / "gblinear.json")
    train(data, 5, objective="reg:squarederror").save_model(out / "squared_error.json")
    train(data, 5, objective="binary:logitraw", base_score=0.3).save_model(out / "logitraw.json")
    classes = xgb.DMatrix(ratios, pd.qcut(ratios["x29"].fillna(0), 3, labels=False))
    train(classes, 2, objective="multi:softprob", num_class=3).save_model(out / "multiclass.json")
    clients = prepare(cards)
    words = clients[[*NUMBERS, *WORDS]].astype(dict.fromkeys(WORDS, "category"))
    named = xgb.DMatrix(words, clients[TARGET], enable_categorical=True)
    train(named, 12, max_cat_to_onehot=1, colsample_bytree=0.3).save_model(out / "categorical.json")


if __name__ == "__main__":
    main(sys.argv[1])
