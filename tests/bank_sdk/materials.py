"""A small catalogue and a scorecard on it, for the SDK's tests."""

from collections.abc import Mapping
from typing import Any

import yaml
from xinyidai.catalogue import Catalogue, CellKind, parse_catalogue

from bank_sdk import Scorecard

GRIDS: Mapping[str, list[float]] = {"age": [6, 12, 24, 36, 60], "paid_in": [0.5, 25, 50, 75], "tax_rate": [0.1, 0.25]}
POLICIES: Mapping[str, Any] = {"missing": 3, "not_applicable": 2, "not_authorized": 1}


def _feature(code: str, **changes: Any) -> dict[str, Any]:
    return {
        "code": code,
        "title": {"zh": code, "en": code},
        "definition": "d",
        "unit": "u",
        "direction": "higher",
        "window": "as_of",
        "grid": GRIDS[code],
        "evidence": "P",
        **changes,
    }


def _category(code: str, *features: dict[str, Any]) -> dict[str, Any]:
    return {
        "code": code,
        "title": {"zh": code, "en": code},
        "holders": ["h"],
        "provenance": "p",
        "cadence": "monthly",
        "lag_months": 1,
        "sensitivity": "S1",
        "sharing": "compute",
        "evidence": "P",
        "fields": [],
        "features": list(features),
    }


def small_catalogue() -> Catalogue:
    """Two categories, three features, 21 cells. `tax_rate` reads both categories."""
    document = {
        "code": "small",
        "version": "1",
        "title": {"zh": "小", "en": "small"},
        "provenance": "test",
        "common_fields": [],
        "categories": [
            _category("registry", _feature("age"), _feature("paid_in")),
            _category("tax", _feature("tax_rate", sources=["registry"])),
        ],
    }
    return parse_catalogue(yaml.safe_dump(document, allow_unicode=True).encode())


CATALOGUE = small_catalogue()
ROWS: list[dict[str, Any]] = [
    {"feature": "age", "lower": None, "upper": 12, "points": -20},
    {"feature": "age", "lower": 12, "upper": 36, "points": 15},
    {"feature": "age", "lower": 36, "upper": None, "points": 60},
    {"feature": "age", "cell": "missing", "points": 0},
    {"feature": "paid_in", "lower": None, "upper": 50, "points": 5},
    {"feature": "paid_in", "lower": 50, "upper": float("inf"), "points": 40},
    {"feature": "tax_rate", "lower": None, "upper": 0.25, "points": 7},
    {"feature": "tax_rate", "lower": 0.25, "upper": None, "points": -9},
]


def scorecard(**changes: Any) -> Scorecard:
    return Scorecard.from_table(ROWS, CATALOGUE, name="sme", **{"base_points": 500, **POLICIES, **changes})


def cells_of(values: Mapping[str, float | CellKind]) -> list[int]:
    """One cell a feature of the small catalogue, in its order, the way the enclave codes values."""
    cells = []
    for feature in CATALOGUE.features:
        value = values[feature.code]
        if isinstance(value, CellKind):
            cells.append(next(cell.index for cell in feature.cells if cell.kind is value))
        else:
            cells.append(feature.cell_of(value))
    return cells
