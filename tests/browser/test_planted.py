"""A firm's own records and scores, looked for where they must not be: after its owner looked at them in a browser."""

import struct
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from clients.dev.system import System
from tests.browser.conftest import BASE_POINTS, PLANTED_CAPITAL, PLANTED_NAME, Bank, planted_firm
from tests.browser.portal import grant, ready, set_up
from tests.support.memory import found_in_files, found_in_memory


def test_nothing_of_a_firms_records_or_scores_stands_readable_at_the_platform(
    portal_city: System, origin: str, browse: Callable[..., Page], bank: Bank, tmp_path: Path
) -> None:
    firm = planted_firm(portal_city.deployment.records)
    page = browse(origin=origin)
    set_up(page, portal_city, origin, firm, tmp_path)
    ready(page)
    page.goto(f"{origin}/portal/records?category=enterprise_registration")
    ready(page)
    expect(page.locator("#records")).to_contain_text(PLANTED_NAME)
    expect(page.locator("#records")).to_contain_text(f"{PLANTED_CAPITAL:.6f}")
    list(grant(page, origin))
    result = bank.assess(firm)
    assert isinstance(result.score, int) and result.score > BASE_POINTS
    page.goto(f"{origin}/portal/usage")
    ready(page)

    records = [
        PLANTED_NAME.encode(),
        PLANTED_NAME.encode("utf-16-le"),
        PLANTED_NAME.encode("unicode_escape"),
        f"{PLANTED_CAPITAL:.6f}".encode(),
        struct.pack("<d", PLANTED_CAPITAL),
    ]
    scores = [str(result.score).encode(), struct.pack("<q", result.score)]
    secret = [*records, *scores]
    root = portal_city.deployment.root
    files = [*(root / "server").rglob("*"), *(root / "logs").rglob("*")]
    assert found_in_memory(portal_city.server.pid, secret) == set()
    assert found_in_files(files, secret) == set()
    # The search finds what is there: the platform knows who asked, and the records are where they belong.
    assert found_in_memory(portal_city.server.pid, [firm.encode()]) == {firm.encode()}
    assert found_in_files(files, [firm.encode()]) == {firm.encode()}
