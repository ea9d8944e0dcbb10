"""Credit card clients as the scripts beside this folder fit on them: words for codes, holes for the unknown."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NUMBERS = ("limit_bal", "age", "pay_0", "pay_2", "bill_amt1", "pay_amt1", "pay_amt2")
WORDS = {
    "education": {1: "graduate", 2: "university", 3: "school", 4: "other"},
    "marriage": {1: "married", 2: "single", 3: "other"},
}
TARGET = "default_next_month"


def prepare(source: str) -> Any:
    """30,000 rows. Undocumented codes are missing; so is a repayment state of -2, which says the card was not used."""
    frame = pd.read_parquet(source)
    numbers = frame[list(NUMBERS)].astype("float64")
    for column in ("pay_0", "pay_2"):
        numbers.loc[numbers[column] == -2, column] = np.nan
    words = {name: frame[name].map(codes).astype(object) for name, codes in WORDS.items()}
    return numbers.assign(**words, **{TARGET: frame[TARGET].astype("int64")})


def sample(frame: Any) -> Any:
    """The 1,000 rows of rows.parquet."""
    return frame.sample(1000, random_state=0).sort_index()


if __name__ == "__main__":
    sample(prepare(sys.argv[1])).to_parquet(Path(__file__).with_name("rows.parquet"), compression="zstd")
