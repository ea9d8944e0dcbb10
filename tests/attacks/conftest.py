"""Attacks say what they measured: `pytest -s tests/attacks` shows each rate beside its bound."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.attacks.naive import Naive
from tests.support.scoring import PARAMETERS, BankModel, encrypt, random_points

Report = Callable[[str], None]


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    return lambda text: print(f"\n  {request.node.name}: {text}", end="")


@pytest.fixture(scope="session")
def honest() -> BankModel:
    """An honest bank's model, for attacks that need no special weights."""
    return encrypt(random_points(np.random.default_rng(21)))


@pytest.fixture(scope="session")
def naive() -> Naive:
    return Naive(PARAMETERS)
