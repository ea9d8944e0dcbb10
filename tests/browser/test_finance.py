"""From a demand to a confirmed loan, and the white list, in a real browser with a bank's worker behind it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import time

import pytest
from playwright.sync_api import Page, expect
from xinyidai.loans import city_date

from clients.dev.system import System
from server.dashboard.board import LEAST_ENTERPRISES
from tests.browser import axe
from tests.browser.lender import Lender
from tests.browser.portal import ready, set_up
from tests.support.running import new_wallet

Browse = Callable[..., Page]
Shot = Callable[[str], None]


@pytest.fixture(scope="module")
def lender(portal_city: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lender]:
    made = Lender(portal_city, tmp_path_factory.mktemp("lender"))
    yield made
    made.close()


def sign(page: Page) -> None:
    page.locator("#confirm button[value=yes]").click()
    expect(page.locator("#status.good")).to_be_visible()


def post_demand(page: Page) -> None:
    if not page.locator("#new").is_visible():
        page.locator("#post > summary").click()
    page.locator("#amount").fill("50")
    page.locator("#in-business").fill("40")
    page.locator("#new button.main").click()
    expect(page.locator("#status.good")).to_be_visible()


def choose_bank_a(page: Page, shot: Shot) -> None:
    page.locator('#demands input[value="bank-a"]').first.check()
    page.locator("#demands form button.main").first.click()
    expect(page.locator("#notices")).to_contain_text("bank-a")
    shot("finance-notice")
    page.locator("#consent button.main").click()
    expect(page.locator("#consent")).to_be_hidden()
    expect(page.locator("#status.good")).to_be_visible()


def wait_for_offer(page: Page) -> None:
    """Asks again as a person would, until the worker has answered."""
    for _ in range(60):
        page.locator("#again").click()
        ready(page)
        if page.locator('[data-state="offered"]').count():
            return
        page.wait_for_timeout(500)
    pytest.fail("the bank's worker made no offer")


def wait_until_told(page: Page) -> None:
    """Looks again until the list is made: that, and not the opt-in, is what is charged."""
    for _ in range(60):
        page.reload()
        ready(page)
        if page.locator("#told tbody tr").count():
            return
        page.wait_for_timeout(500)
    pytest.fail("no list was made with the enterprise")


def visit_white_list(page: Page, origin: str, lender: Lender, shot: Shot) -> None:
    page.goto(f"{origin}/portal/white-list")
    ready(page)
    page.locator('input[value="named"]').check()
    page.locator('#banks input[value="bank-a"]').check()
    page.locator("#terms button.main").click()
    expect(page.locator("#notice")).to_contain_text("bank-a")
    page.locator("#agree").check()
    shot("white-list-notice")
    page.locator("#consent button.main").click()
    expect(page.locator("#status.good")).to_be_visible()
    expect(page.locator("#standing.warning")).to_be_visible()
    shot("white-list")
    wait_until_told(page)
    page.locator("#leave").click()
    sign(page)
    expect(page.locator("#standing.warning")).to_have_count(0)
    firm = page.locator('meta[name="holder"]').get_attribute("content")
    assert firm not in lender.white_list()
    page.reload()
    ready(page)
    expect(page.locator("#told tbody tr")).to_have_count(1)
    shot("white-list-left")


@pytest.mark.parametrize(("width", "language"), [("phone", "zh"), ("desktop", "en")])
def test_an_enterprise_finds_finance_compares_accepts_and_confirms_its_loan(
    width: str, language: str, portal_city: System, origin: str, firms: Iterator[str], browse: Browse, lender: Lender,
    artefacts: Path, tmp_path: Path,
) -> None:  # fmt: skip
    page = browse(width, language, origin)

    def shot(name: str) -> None:
        page.screenshot(path=artefacts / f"{width}-{language}-{name}.png", full_page=True)
        axe.check(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    set_up(page, portal_city, origin, next(firms), tmp_path)
    page.goto(f"{origin}/portal/finance")
    ready(page)
    page.locator("#post > summary").click()
    shot("finance-new")
    post_demand(page)
    post_demand(page)
    shot("finance-posted")
    page.locator("#demands article").first.locator("button.danger").click()
    sign(page)
    expect(page.locator('[data-state="withdrawn"]')).to_have_count(1)
    visit_white_list(page, origin, lender, shot)

    page.goto(f"{origin}/portal/finance")
    ready(page)
    choose_bank_a(page, shot)
    wait_for_offer(page)
    shot("finance-offers")
    offered = page.locator('[data-state="offered"]')
    demand = offered.get_attribute("data-demand") or ""
    offered.locator("td button.main").click()
    sign(page)
    expect(page.locator('[data-state="accepted"]')).to_have_count(1)
    shot("finance-accepted")

    lender.pay_out(demand, city_date(int(time())))
    page.goto(f"{origin}/portal/loans")
    ready(page)
    for summary in page.locator("#loans summary").all():
        summary.click()
    shot("loans")
    page.locator("#loans button.main").click()
    sign(page)
    expect(page.locator('[data-confirmed="true"]')).to_have_count(1)
    shot("loans-confirmed")
    for public in ("dashboard", "quality"):
        page.goto(f"{origin}/{public}")
        expect(page.locator("h1")).to_be_visible()
        page.screenshot(path=artefacts / f"{width}-{language}-{public}.png", full_page=True)
        axe.check(page)


def test_the_dashboard_draws_what_its_tables_say(
    portal_city: System, origin: str, firms: Iterator[str], browse: Browse, artefacts: Path, tmp_path: Path
) -> None:
    for number in range(LEAST_ENTERPRISES):
        new_wallet(portal_city, tmp_path / f"wallet-{number}", next(firms)).close()
    page = browse("desktop", "zh")
    page.goto(f"{origin}/dashboard")
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator("tbody tr").first).to_contain_text("全部")
    page.screenshot(path=artefacts / "desktop-dashboard-chart.png", full_page=True)
    axe.check(page)
