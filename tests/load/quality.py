"""What the public grid and whole points cost a tree model, on real data: `python -m tests.load.quality`.

The same LightGBM settings, once on raw values and once on the cells of a public grid, rounded to whole points; AUC on
the rows held out, mean over splits. The grid is made from the training rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import lightgbm
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from xinyidai.catalogue import parse_catalogue

from bank_sdk import TreeOptions, codes_of, discrimination, train_trees
from bank_sdk.fit.train import split_rows
from tests.support import polish

_CLIENTS: Final = Path(__file__).parents[1] / "data" / "taiwan_credit_card" / "clients.parquet"
OPTIONS: Final = TreeOptions(rounds=100, depth=3, learning_rate=0.1)
SEEDS: Final = (0, 1, 2)


@dataclass(frozen=True)
class Quality:
    raw: float
    """AUC of the trees on raw values, mean over the splits."""
    codes: float
    """AUC of the whole points on cells."""
    largest: int
    """The largest total in points, over the splits."""


def companies() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    frame = polish.load()
    return frame[list(polish.RATIOS)], frame[polish.OUTCOME].to_numpy()


def clients() -> tuple[pd.DataFrame, NDArray[np.int64]]:
    frame = pd.read_parquet(_CLIENTS)
    return frame.drop(columns="default_next_month").astype(np.float64), frame["default_next_month"].to_numpy(np.int64)


DATA: Final[Mapping[str, Any]] = {"companies": companies, "clients": clients}


def measure(name: str, options: TreeOptions = OPTIONS, seeds: tuple[int, ...] = SEEDS) -> Quality:
    values, bad = DATA[name]()
    found = [_split(values, bad, options, seed) for seed in seeds]
    raw, codes, largest = zip(*found, strict=True)
    return Quality(float(np.mean(raw)), float(np.mean(codes)), max(largest))


def _split(values: pd.DataFrame, bad: NDArray[np.int64], options: TreeOptions, seed: int) -> tuple[float, float, int]:
    train, held_out = split_rows(bad.astype(np.float64), 0.3, seed)
    grids = {name: _grid(values[name].to_numpy()[train]) for name in values}
    catalogue = parse_catalogue(polish.yaml_of(grids))
    trained = train_trees(codes_of(values, catalogue), bad, catalogue, options=options, seed=seed)
    settings = {
        "objective": "binary",
        "num_leaves": 1 << options.depth,
        "max_depth": options.depth,
        "learning_rate": options.learning_rate,
        "lambda_l2": options.l2,
        "min_data_in_leaf": options.min_rows,
        "seed": seed,
        "num_threads": 1,
        "verbose": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(values.iloc[train], 1 - bad[train]), options.rounds)
    theirs = discrimination(np.asarray(booster.predict(values.iloc[held_out], raw_score=True)), bad[held_out]).auc
    ours = trained.parity.ours
    return theirs, ours.auc if ours else 0.0, trained.proof.largest


def _grid(values: NDArray[np.float64]) -> tuple[float, ...]:
    """All values as they are where there are few, 31 edges where there are many."""
    known = np.unique(values[~np.isnan(values)])
    return tuple(known[1:].tolist()) if len(known) <= polish.EDGES else polish.grid(values, ())


def main() -> None:
    for name in DATA:
        for depth in (3, 4, 5):
            found = measure(name, TreeOptions(rounds=100, depth=depth))
            print(
                f"{name}, depth {depth}: AUC on raw values {found.raw:.4f}, whole points on cells {found.codes:.4f}, "
                f"largest total {found.largest}",
                flush=True,
            )


if __name__ == "__main__":
    main()
