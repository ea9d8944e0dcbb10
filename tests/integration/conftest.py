"""A running city for the tests of this folder."""

from collections.abc import Iterator

import pytest

from clients.dev.system import System
from tests.support.running import city_system


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """200 synthetic enterprises in the real enclave, the real server, bank-a and bank-b."""
    with city_system(tmp_path_factory.mktemp("city") / "d") as system:
        yield system
