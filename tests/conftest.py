"""Fixtures more than one folder uses."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Programs under test print for a wide terminal: consoles read this when they are made.
os.environ["COLUMNS"] = "200"

from tests.support.bare import BareEnclave


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareEnclave]:
    """An enclave process over random cells, spoken to directly."""
    made = BareEnclave(tmp_path_factory.mktemp("bare") / "d")
    yield made
    made.close()


@pytest.fixture
def bare_folder(tmp_path: Path) -> Path:
    """Where a test makes an enclave of its own."""
    return tmp_path / "d"
