"""A white list with two subscribed banks."""

import pytest

from tests.support.authority import BANK, ENTERPRISE, OTHER_BANK, Desk
from tests.support.listing import Listing, matrix_of
from tests.support.town import GOOD


@pytest.fixture
def listing(desk: Desk) -> Listing:
    """The enterprise of the desk is in good standing, and nobody else is known."""
    made = Listing(desk, matrix_of({ENTERPRISE.uscc: GOOD}))
    for bank in (BANK, OTHER_BANK):
        made.subscribe(bank)
    return made
