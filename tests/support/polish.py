"""Real companies as enterprises of a second catalogue, with a scorecard a bank would fit on them.

The data are in tests/data/polish_companies (CC BY 4.0, see its README). The unified social credit codes are stand-ins
made from row numbers; nothing else is invented. Values are rounded to six decimals, as the record store keeps them, so
that the scorecard saw exactly what is scored.
"""

import warnings
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from numpy.typing import NDArray
from optbinning import BinningProcess, Scorecard
from sklearn.linear_model import LogisticRegression
from xinyidai.identifiers import Uscc, parse_uscc, uscc_check_character

AS_OF: Final = date(2026, 10, 31)
"""A month end at which the records of `records` are visible."""
CATEGORY: Final = "financial_statement"
OUTCOME: Final = "bankrupt"
RATIOS: Final[Mapping[str, str]] = {
    "x05": "[(cash + short-term securities + receivables - short-term liabilities) / (opex - depreciation)] * 365",
    "x06": "retained earnings / total assets",
    "x09": "sales / total assets",
    "x13": "(gross profit + depreciation) / sales",
    "x21": "sales (n) / sales (n-1)",
    "x24": "gross profit (in 3 years) / total assets",
    "x25": "(equity - share capital) / total assets",
    "x26": "(net profit + depreciation) / total liabilities",
    "x27": "profit on operating activities / financial expenses",
    "x29": "logarithm of total assets",
    "x34": "operating expenses / total liabilities",
    "x35": "profit on sales / total assets",
    "x39": "profit on sales / sales",
    "x41": "total liabilities / ((profit on operating activities + depreciation) * (12/365))",
    "x46": "(current assets - inventory) / short-term liabilities",
    "x58": "total costs / total sales",
}
"""Column to formula; each is a field and a feature of the catalogue under the same name."""
EDGES: Final = 31
_DATA: Final = Path(__file__).parents[1] / "data" / "polish_companies" / "year5.parquet"
_COMMON: Final = (
    ("uscc", "str"),
    ("source_dept", "str"),
    ("record_id", "str"),
    ("recv_time", "datetime"),
    ("data_month", "yyyymm"),
)
_RECEIVED: Final = datetime(2026, 9, 15, 8, 0)
_PDO: Final = 20


def load() -> pd.DataFrame:
    """5,850 rows: `RATIOS` as float64 (NaN is missing) and `bankrupt`. The index is the row number."""
    frame = pd.read_parquet(_DATA, columns=[*RATIOS, OUTCOME])
    ratios = frame[list(RATIOS)].astype(np.float64).round(6)
    return ratios.assign(**{OUTCOME: frame[OUTCOME].astype(np.int64)})


def split(frame: pd.DataFrame, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train (70 %) and held out (30 %), each with the same share of bankrupts; the index is kept."""
    generator = np.random.default_rng(seed)
    train = np.zeros(len(frame), dtype=np.bool_)
    for outcome in (0, 1):
        rows = generator.permutation(np.flatnonzero(frame[OUTCOME].to_numpy() == outcome))
        train[rows[: round(0.7 * len(rows))]] = True
    return frame[train], frame[~train]


def fit(train: pd.DataFrame) -> Any:
    """A fitted `optbinning.Scorecard` of whole points: 500 at even odds, doubling every 20, higher is safer."""
    names = list(RATIOS)
    process = BinningProcess(names, max_n_prebins=12, min_prebin_size=0.04)
    card = Scorecard(
        process,
        LogisticRegression(C=0.5, max_iter=1000),
        scaling_method="pdo_odds",
        scaling_method_params={"pdo": _PDO, "odds": 1, "scorecard_points": 500},
        rounding=True,
    )
    with warnings.catch_warnings():
        # The fitting libraries announce changes of each other's interfaces; nothing here depends on them.
        warnings.simplefilter("ignore")
        return card.fit(train[names], train[OUTCOME].to_numpy(), metric_missing="empirical")


def scores(card: Any, frame: pd.DataFrame) -> NDArray[np.int64]:
    """The library's own scores, one a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(card.score(frame[list(RATIOS)])).astype(np.int64)


def points_range(card: Any) -> tuple[int, int]:
    """The lowest and the highest score any company could get."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        points = card.table(style="detailed").groupby("Variable")["Points"]
    return int(points.min().sum()), int(points.max().sum())


def splits(card: Any) -> dict[str, tuple[float, ...]]:
    """Cut points of each ratio."""
    return {
        name: tuple(float(edge) for edge in card.binning_process_.get_binned_variable(name).splits) for name in RATIOS
    }


def grid(values: NDArray[np.float64], proposed: tuple[float, ...]) -> tuple[float, ...]:
    """31 edges: the proposed ones, and quantiles of `values` as far from them as there is room.

    A value that many companies share becomes a cell of its own, with an edge on it and one just above.
    """
    known = np.sort(values[~np.isnan(values)])
    distinct, counts = np.unique(known, return_counts=True)
    masses = distinct[:-1][counts[:-1] > len(known) / (EDGES + 1)]
    above = distinct[np.searchsorted(distinct, masses, side="right")]
    wanted = np.quantile(known, np.linspace(0, 1, 4 * EDGES + 2)[1:-1])
    rounded = np.array([float(f"{edge:.6g}") for edge in wanted])
    chosen = sorted({*proposed, *masses.tolist(), *above.tolist()})
    candidates = [float(edge) for edge in np.unique(rounded)]
    while len(chosen) < EDGES:
        ranks = np.searchsorted(known, chosen)
        gaps = [int(np.abs(ranks - np.searchsorted(known, edge)).min(initial=len(known))) for edge in candidates]
        chosen = sorted({*chosen, candidates.pop(int(np.argmax(gaps)))})
    return tuple(chosen)


def _text(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def _feature(name: str, edges: tuple[float, ...], kind: str) -> dict[str, Any]:
    return {
        "code": name,
        "title": _text(name),
        "definition": RATIOS.get(name, name),
        "unit": "ratio",
        "direction": "higher",
        "kind": kind,
        "window": "as_of",
        "grid": list(edges),
        "field": name,
        "evidence": "S",
    }


def catalogue_yaml(train: pd.DataFrame, card: Any) -> bytes:
    """polish-companies@1: one category, a field and a feature a ratio, on public grids that hold the card's edges."""
    return yaml_of({name: grid(train[name].to_numpy(), proposed) for name, proposed in splits(card).items()})


def yaml_of(grids: Mapping[str, tuple[float, ...]], ordinal: Collection[str] = ()) -> bytes:
    """A catalogue with one category, and a field and a feature for each grid; those of `ordinal` are whole numbers."""
    kinds = {name: "ordinal" if name in ordinal else "continuous" for name in grids}
    category = {
        "code": CATEGORY,
        "title": {"zh": "财务报表信息", "en": "Financial statement"},
        "holders": ["Emerging Markets Information Service"],
        "provenance": "UCI Machine Learning Repository no. 365, S. Tomczak 2016, CC BY 4.0",
        "cadence": "yearly",
        "lag_months": 0,
        "sensitivity": "S2",
        "sharing": "compute",
        "evidence": "S",
        "fields": [{"name": name, "type": "dec", "unit": "ratio", "evidence": "S"} for name in grids],
        "features": [_feature(name, edges, kinds[name]) for name, edges in grids.items()],
    }
    document = {
        "code": "polish-companies",
        "version": "1",
        "title": {"zh": "波兰企业财务比率", "en": "Ratios of Polish companies"},
        "provenance": "Real companies under CC BY 4.0; codes of enterprises are stand-ins.",
        "common_fields": [{"name": name, "type": kind, "evidence": "P"} for name, kind in _COMMON],
        "categories": [category],
    }
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False).encode()


def uscc_of(row_number: int) -> Uscc:
    """A well-formed stand-in code whose check character holds; `row_number` is below a million."""
    first17 = f"91320706PL{row_number:06d}X"
    return parse_uscc(first17 + uscc_check_character(first17))


def records(frame: pd.DataFrame, out: Path, names: Iterable[str] = tuple(RATIOS)) -> Path:
    """Write `<out>/financial_statement.parquet`, one record a row of `frame`, and return the file."""
    count = len(frame)
    columns: dict[str, pa.Array] = {
        "uscc": pa.array([uscc_of(int(row)) for row in frame.index], pa.string()),
        "source_dept": pa.array(["UCI-365"] * count, pa.string()),
        "record_id": pa.array([f"PL-{row}" for row in frame.index], pa.string()),
        "recv_time": pa.array([_RECEIVED] * count, pa.timestamp("us")),
        "data_month": pa.array([202608] * count, pa.int64()),
        **{name: pa.array(frame[name].to_numpy(), pa.float64(), from_pandas=True) for name in names},
    }
    out.mkdir(parents=True, exist_ok=True)
    file = out / f"{CATEGORY}.parquet"
    pq.write_table(pa.table(columns), file)
    return file
