"""Writes scorecardpy/. Run with scorecardpy 0.1.9.7 and the path of the credit card data; see the README there."""

# mypy: ignore-errors
# These libraries are not installed here.
import sys
import warnings
from pathlib import Path

import pandas as pd
import scorecardpy as sc
from sklearn.linear_model import LogisticRegression

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "taiwan"))
from preparation import TARGET, WORDS, prepare, sample  # noqa: E402


def main(cards: str) -> None:
    warnings.simplefilter("ignore")
    columns = ["limit_bal", "age", "pay_0", "pay_amt1", *WORDS]
    clients = prepare(cards)[[*columns, TARGET]]
    bins = sc.woebin(clients, y=TARGET, no_cores=1)
    woe = sc.woebin_ply(clients, bins)
    regression = LogisticRegression(C=1e6).fit(woe[[f"{name}_woe" for name in columns]], woe[TARGET])
    card = sc.scorecard(bins, regression, columns, points0=600, odds0=1 / 19, pdo=50)
    pd.concat(card).to_csv(HERE / "scorecardpy" / "card.csv", index=False)
    rows = sample(clients)
    scores = sc.scorecard_ply(rows, card, print_step=0)
    scores.set_axis(rows.index, axis=0).to_parquet(HERE / "scorecardpy" / "scores.parquet", compression="zstd")


if __name__ == "__main__":
    main(sys.argv[1])
