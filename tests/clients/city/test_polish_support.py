"""Real companies: the card a bank fits stands on the public grid, and the enclave's cells give its own scores."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from xinyidai.catalogue import Catalogue, parse_catalogue
from xinyidai.catalogue.model import MAX_CELLS
from xinyidai.identifiers import check_character_holds

from bank_sdk import Scorecard
from enclave.features.values import feature_values
from tests.support import polish


@dataclass(frozen=True)
class Bank:
    train: pd.DataFrame
    held_out: pd.DataFrame
    card: Any
    catalogue: Catalogue


@pytest.fixture(scope="module")
def bank() -> Iterator[Bank]:
    train, held_out = polish.split(polish.load())
    card = polish.fit(train)
    yield Bank(train, held_out, card, parse_catalogue(polish.catalogue_yaml(train, card)))


def test_the_companies_are_split_by_outcome_and_missing_values_stay() -> None:
    frame = polish.load()
    train, held_out = polish.split(frame)
    assert len(frame) == len(train) + len(held_out) == 5850
    assert not set(train.index) & set(held_out.index)
    assert train["bankrupt"].sum() == round(0.7 * frame["bankrupt"].sum())
    assert frame["x27"].isna().sum() > 300
    assert polish.split(frame)[0].equals(train)
    assert not polish.split(frame, seed=1)[0].index.equals(train.index)


def test_every_ratio_is_a_feature_and_its_grid_holds_the_splits(bank: Bank) -> None:
    assert bank.catalogue.reference == "polish-companies@1"
    assert tuple(f.code for f in bank.catalogue.features) == tuple(polish.RATIOS)
    assert bank.catalogue.layout.size <= MAX_CELLS
    for name, edges in polish.splits(bank.card).items():
        feature = bank.catalogue.feature(name)
        assert feature.field == name
        assert len(feature.grid) == polish.EDGES
        assert edges and set(edges) <= set(feature.grid)


def test_a_value_many_companies_share_gets_a_cell_of_its_own() -> None:
    values = np.concatenate([np.zeros(500), np.linspace(-3, 7, 500)])
    edges = polish.grid(values, (1.25,))
    assert len(edges) == polish.EDGES and 1.25 in edges
    assert 0.0 in edges
    assert not [v for v in np.unique(values) if 0 < v < edges[edges.index(0.0) + 1]]


def test_the_card_separates_companies_it_has_not_seen(bank: Bank) -> None:
    scores = polish.scores(bank.card, bank.held_out)
    assert roc_auc_score(1 - bank.held_out["bankrupt"], scores) > 0.85
    lowest, highest = polish.points_range(bank.card)
    assert 0 <= lowest <= scores.min() <= scores.max() <= highest <= 1023


def test_codes_are_stand_ins_that_any_checker_accepts(bank: Bank) -> None:
    codes = [polish.uscc_of(int(row)) for row in bank.held_out.index]
    assert len(set(codes)) == len(codes)
    assert all(check_character_holds(code) for code in codes)


@pytest.mark.filterwarnings("ignore")
def test_records_in_the_enclave_lead_to_exactly_the_score_of_the_library(bank: Bank, tmp_path: Path) -> None:
    sample = bank.held_out.iloc[::3]
    polish.records(sample, tmp_path / "records")
    known = feature_values(tmp_path / "records", bank.catalogue, polish.AS_OF)
    card = Scorecard.from_optbinning(bank.card, bank.catalogue, not_applicable=0, not_authorized=0)
    place = {code.decode(): row for row, code in enumerate(known.enterprises)}
    ours = []
    for row in sample.index:
        values = known.values[place[polish.uscc_of(int(row))]]
        cells = [
            feature.missing if np.isnan(value) else feature.cell_of(value)
            for feature, value in zip(bank.catalogue.features, values, strict=True)
        ]
        ours.append(card.score_cells(cells))
    assert ours == polish.scores(bank.card, sample).tolist()
