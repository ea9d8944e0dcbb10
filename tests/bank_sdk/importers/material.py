"""Files made by the real libraries, the rows they scored, and catalogues whose grids hold a model's cut points."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CellKind

from bank_sdk import ConversionReport, Import, Scale
from tests.bank_sdk.materials import catalogue_of, category, feature
from tests.support import polish

MODELS: Final = Path(__file__).parents[2] / "data" / "models"
SCALE: Final = Scale(pdo=20, base_score=600, base_odds=50, odds="good:bad")
POLICIES: Final[dict[str, Any]] = {"not_applicable": 0, "not_authorized": 0}
LOG_ODDS: Final[dict[str, Any]] = {"scale": SCALE, "positive": "bad", "points": "nearest", **POLICIES}
WORDS: Final[dict[str, dict[str, float | CellKind]]] = {
    "education": {"graduate": 1, "university": 2, "school": 3, "other": 4},
    "marriage": {"married": 1, "single": 2, "other": 3},
}
"""The catalogue's numbers for the words of the credit card data."""
Row = dict[str, Any]


def catalogue(grids: Mapping[str, Iterable[float]], ordinal: Iterable[str] = ()) -> Catalogue:
    features = [
        feature(code, grid, kind="ordinal" if code in ordinal else "continuous") for code, grid in grids.items()
    ]
    return catalogue_of("models", category("bank", *features))


def fitting(imported: Import, extra: Mapping[str, Iterable[float]] | None = None) -> Catalogue:
    """A catalogue whose grid holds every cut point of the model bit for bit, and levels for its categories."""
    words = {c.name: [1.0, 2.0, 3.0, 4.0, 5.0] for c in imported.characteristics if c.labels}
    grids = {name: sorted({*edges, *(extra or {}).get(name, ())}) or [0.0] for name, edges in imported.edges.items()}
    return catalogue({**grids, **words}, ordinal=words)


def polish_rows(scores: str) -> tuple[list[Row], pd.DataFrame]:
    """1,000 real companies and what the library gave them. NaN is missing."""
    found = pd.read_parquet(MODELS / scores)
    assert len(found) == 1000
    return polish.load().loc[found.index].drop(columns=polish.OUTCOME).to_dict("records"), found


def card_rows(scores: str) -> tuple[list[Row], pd.DataFrame]:
    """Real clients of the credit card data, likewise."""
    found = pd.read_parquet(MODELS / scores)
    frame = pd.read_parquet(MODELS / "taiwan" / "rows.parquet").loc[found.index]
    return frame.to_dict("records"), found


def is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def scored(imported: Import, plan: ConversionReport, rows: list[Row]) -> NDArray[np.int64]:
    """Scores of the converted scorecard."""
    card = imported.to_scorecard(plan)
    found = []
    for row in rows:
        values: dict[str, float | CellKind] = {}
        for characteristic in imported.characteristics:
            value = row[characteristic.name]
            if isinstance(value, str):
                value = WORDS[characteristic.name][value]
            values[characteristic.name] = CellKind.MISSING if is_missing(value) else value
        found.append(card.score(values))
    return np.array(found)


def assert_same_log_odds(imported: Import, rows: list[Row], margins: NDArray[Any], **options: Any) -> ConversionReport:
    """Before rounding equal to the library's log-odds; as points within the bound the plan declares."""
    ours = np.array([imported.value(row) for row in rows])
    np.testing.assert_allclose(ours, margins, rtol=0, atol=2e-5)
    plan = imported.plan(fitting(imported), **{**LOG_ODDS, **options})
    assert not plan.blocked and not plan.edges and 0 < plan.rounding_bound < 0.5 * (len(imported.characteristics) + 1)
    exact = np.array([SCALE.score(-margin) for margin in margins])
    assert np.abs(scored(imported, plan, rows) - exact).max() <= plan.rounding_bound + 1e-3
    return plan
