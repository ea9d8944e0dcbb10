"""A database of the authority's own, with the enterprise's key pinned."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from enclave.authority.store import _open
from tests.support.authority import BANK, ENTERPRISE, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    connection = _open(tmp_path / "authority.sqlite")
    desk = Desk(connection)
    desk.enrol(ENTERPRISE)
    yield desk
    connection.close()


@pytest.fixture
def model(desk: Desk) -> str:
    """A model of the bank."""
    return desk.register(BANK)
