"""The authority at a time at which the certificates of the tests are good: a log's documents are verified here."""

import pytest

from tests.support.authority import Desk


@pytest.fixture
def desk(desk: Desk) -> Desk:
    desk.now = int(desk.trust.receipt_key.chain[0].not_valid_before_utc.timestamp()) + 600
    return desk
