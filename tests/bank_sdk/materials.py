"""A small catalogue and a scorecard on it, for the SDK's tests."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml
from xinyidai.catalogue import Catalogue, CellKind, parse_catalogue

from bank_sdk import Scorecard
from bank_sdk.testing import InMemoryService
from tests.support.parties import uscc_number

GRIDS: Mapping[str, list[float]] = {"age": [6, 12, 24, 36, 60], "paid_in": [0.5, 25, 50, 75], "tax_rate": [0.1, 0.25]}
POLICIES: Mapping[str, Any] = {"missing": 3, "not_applicable": 2, "not_authorized": 1}


def feature(code: str, grid: Iterable[float], **changes: Any) -> dict[str, Any]:
    """As a catalogue's document has it."""
    return {
        "code": code,
        "title": {"zh": code, "en": code},
        "definition": "d",
        "unit": "u",
        "direction": "higher",
        "window": "as_of",
        "grid": list(grid),
        "evidence": "P",
        **changes,
    }


def category(code: str, *features: dict[str, Any]) -> dict[str, Any]:
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


def catalogue_of(code: str, *categories: dict[str, Any]) -> Catalogue:
    document = {
        "code": code,
        "version": "1",
        "title": {"zh": code, "en": code},
        "provenance": "test",
        "common_fields": [],
        "categories": list(categories),
    }
    return parse_catalogue(yaml.safe_dump(document, allow_unicode=True).encode())


def small_catalogue() -> Catalogue:
    """Two categories, three features, 21 cells. `tax_rate` reads both categories."""
    age, paid_in, tax_rate = (feature(code, grid) for code, grid in GRIDS.items())
    return catalogue_of(
        "small", category("registry", age, paid_in), category("tax", tax_rate | {"sources": ["registry"]})
    )


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


@contextmanager
def granted_service(firms: int, cells: Callable[[int], list[int]]) -> Iterator[InMemoryService]:
    """A service in memory, and a grant of each of the first firms, with its cells by number."""
    with InMemoryService(CATALOGUE) as running:
        for number in range(firms):
            running.grant(uscc_number(number), cells=cells(number))
        yield running
