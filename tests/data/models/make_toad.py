"""Writes toad/. Run with toad 0.1.7 and the path of the credit card data; see the README there."""

# mypy: ignore-errors
# These libraries are not installed here.
import json
import sys
import warnings
from pathlib import Path

import pandas as pd
import toad

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "taiwan"))
from preparation import TARGET, WORDS, prepare, sample  # noqa: E402


def main(cards: str) -> None:
    warnings.simplefilter("ignore")
    columns = ["limit_bal", "age", "pay_0", "pay_amt1", *WORDS]
    clients = prepare(cards)[[*columns, TARGET]]
    combiner = toad.transform.Combiner()
    combiner.fit(clients, y=TARGET, method="chi", min_samples=0.05, n_bins=5, empty_separate=True)
    woe = toad.transform.WOETransformer()
    fitted = woe.fit_transform(combiner.transform(clients), clients[TARGET], exclude=[TARGET])
    card = toad.ScoreCard(combiner=combiner, transer=woe, pdo=60, rate=2, base_odds=20, base_score=750)
    card.fit(fitted[columns], fitted[TARGET])
    exported = card.export()
    (HERE / "toad" / "card.json").write_text(json.dumps(exported, ensure_ascii=False, indent=1))
    reloaded = toad.ScoreCard().load(exported)
    rows = sample(clients)[columns]
    scores = pd.DataFrame({"fitted": card.predict(rows), "reloaded": reloaded.predict(rows)}, index=rows.index)
    scores.to_parquet(HERE / "toad" / "scores.parquet", compression="zstd")


if __name__ == "__main__":
    main(sys.argv[1])
