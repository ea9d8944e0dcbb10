"""Writes lightgbm/. Run with lightgbm 4.7.0 and the path of the credit card data; see the README there."""

# mypy: ignore-errors
# These libraries are not installed here.
import json
import sys
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "taiwan"))
from preparation import NUMBERS, TARGET, WORDS, prepare, sample  # noqa: E402

RATIOS = "x05 x06 x09 x13 x21 x24 x25 x26 x27 x29 x34 x35 x39 x41 x46 x58".split()
STUMPS: dict[str, Any] = {
    "num_leaves": 2,
    "learning_rate": 0.2,
    "objective": "binary",
    "seed": 0,
    "num_threads": 1,
    "verbose": -1,
}


def train(frame: Any, bad: Any, rounds: int, **changes: Any) -> lgb.Booster:
    return lgb.train({**STUMPS, **changes}, lgb.Dataset(frame, bad, free_raw_data=False), rounds)


def main(cards: str) -> None:
    out = HERE / "lightgbm"
    polish = pd.read_parquet(HERE.parent / "polish_companies" / "year5.parquet")
    ratios, bad = polish[RATIOS].astype("float64").round(6), polish["bankrupt"]
    rows = ratios.sample(1000, random_state=0).sort_index()
    clients = prepare(cards)
    numbers, late = clients[list(NUMBERS)], clients[TARGET]
    words = clients[[*NUMBERS, *WORDS]].astype(dict.fromkeys(WORDS, "category"))
    asked = sample(words)
    forest = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7, "feature_fraction": 0.3}
    polish_models = {
        "stumps": train(ratios, bad, 120),
        "sigmoid": train(ratios, bad, 20, sigmoid=2.0),
        "forest": train(ratios, bad, 30, **forest),
    }
    client_models = {
        "missing_none": train(numbers.fillna(0), late, 40, use_missing=False),
        "missing_zero": train(numbers, late, 40, zero_as_missing=True),
        "categorical": train(words, late, 60, feature_fraction=0.4, max_cat_to_onehot=1, min_data_per_group=1),
    }
    for name, model in {**polish_models, **client_models}.items():
        model.save_model(out / f"{name}.txt", num_iteration=-1)
    (out / "stumps.json").write_text(json.dumps(polish_models["stumps"].dump_model(), separators=(",", ":")))
    (out / "categorical.json").write_text(json.dumps(client_models["categorical"].dump_model(), separators=(",", ":")))
    scores = {name: model.predict(rows, raw_score=True) for name, model in polish_models.items()}
    # The raw score of a forest is the sum; only the probability is made from the average.
    probability = polish_models["forest"].predict(rows)
    scores["forest"] = np.log(probability / (1 - probability))
    pd.DataFrame(scores, index=rows.index).to_parquet(out / "polish_scores.parquet", compression="zstd")
    frames = {"missing_none": asked[list(NUMBERS)], "missing_zero": asked[list(NUMBERS)], "categorical": asked}
    scores = {name: model.predict(frames[name], raw_score=True) for name, model in client_models.items()}
    pd.DataFrame(scores, index=asked.index).to_parquet(out / "taiwan_scores.parquet", compression="zstd")
    deep = train(ratios, bad, 4, num_leaves=6)
    deep.save_model(out / "leaves6.txt")
    scores = {"leaves6": deep.predict(rows, raw_score=True)}
    pd.DataFrame(scores, index=rows.index).to_parquet(out / "deep_scores.parquet", compression="zstd")
    train(ratios.fillna(0), bad, 4, linear_tree=True).save_model(out / "linear.txt")
    train(ratios, bad, 4, objective="regression").save_model(out / "regression.txt")
    thirds = pd.qcut(ratios["x29"].fillna(0), 3, labels=False)
    train(ratios, thirds, 2, objective="multiclass", num_class=3).save_model(out / "multiclass.txt")


if __name__ == "__main__":
    main(sys.argv[1])
