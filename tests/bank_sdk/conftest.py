"""A bank in front of a service in memory; each module says which."""

from collections.abc import Iterator

import pytest

from bank_sdk import BankClientSync
from bank_sdk.testing import InMemoryService


@pytest.fixture(scope="module")
def client(service: InMemoryService) -> Iterator[BankClientSync]:
    with service.client() as connected:
        yield connected
