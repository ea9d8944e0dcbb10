"""The whole way of an enterprise in a real browser: at two widths and in both languages."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bank_sdk import AuthorizationRefused
from clients.dev.system import System
from tests.browser import axe
from tests.browser.conftest import Bank
from tests.browser.portal import act, add_passkey, grant, ready, set_budget, set_up, sign_in_with_passkey, sign_out

Browse = Callable[..., Page]


def refused(bank: Bank, firm: str) -> None:
    with pytest.raises(AuthorizationRefused):
        bank.assess(firm)


@pytest.mark.parametrize(("width", "language"), [("phone", "zh"), ("desktop", "en")])
def test_an_enterprise_grants_watches_pauses_revokes_and_disputes(
    width: str, language: str, portal_city: System, origin: str, firms: Iterator[str], browse: Browse, bank: Bank,
    artefacts: Path, tmp_path: Path,
) -> None:  # fmt: skip
    firm = next(firms)
    page = browse(width, language, origin)

    def shot(name: str) -> None:
        page.screenshot(path=artefacts / f"{width}-{language}-{name}.png", full_page=name != "dispute")
        axe.check(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    shot("sign-in")
    page.goto(f"{origin}/portal/setup")
    shot("setup")
    set_up(page, portal_city, origin, firm, tmp_path)
    ready(page)
    shot("firm")
    add_passkey(page, origin, "office")
    shot("account")
    sign_out(page, origin)
    sign_in_with_passkey(page, origin)
    ready(page)

    for step in grant(page, origin):
        shot(f"grant-{step}")
    bank.assess(firm)
    page.goto(f"{origin}/portal/usage")
    ready(page)
    expect(page.locator("#uses tbody tr")).to_have_count(1)
    expect(page.locator("#uses .tag.good")).to_have_count(1)
    expect(page.locator("#budgets .warning")).to_have_count(0)
    set_budget(page, "20")
    expect(page.locator("#budgets .warning")).to_have_count(1)
    shot("usage")
    set_budget(page, "40")

    page.goto(f"{origin}/portal/authorizations")
    ready(page)
    expect(page.locator("#authorizations .warning")).to_have_count(1)
    shot("authorizations")
    act(page, "pause")
    refused(bank, firm)
    act(page, "resume")
    bank.assess(firm)
    act(page, "revoke")
    refused(bank, firm)

    page.goto(f"{origin}/portal/records?category=tax_payment")
    ready(page)
    shot("records")
    first = page.locator("#records article").first
    first.get_by_role("button").click()
    shot("dispute")
    page.locator("#objection button[value=yes]").click()
    expect(page.locator("#status.good")).to_be_visible()
    expect(page.locator("#records .tag.warn")).to_have_count(1)
    shot("disputed")


def test_a_passkey_alone_shows_nothing_of_the_firm_and_keys_move_through_the_page(
    portal_city: System, origin: str, firms: Iterator[str], browse: Browse, tmp_path: Path
) -> None:
    firm = next(firms)
    page = browse("desktop", "en", origin)
    set_up(page, portal_city, origin, firm, tmp_path)
    ready(page)
    add_passkey(page, origin, "only")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    sign_out(page, origin)
    page.evaluate("indexedDB.deleteDatabase('xinyidai')")
    sign_in_with_passkey(page, origin)
    expect(page.locator("#status.bad")).to_contain_text("本设备没有这家企业的密钥")
    expect(page.locator("#holdings")).to_be_hidden()

    page.goto(f"{origin}/portal/account")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("#passkeys button").click()
    expect(page.locator("#passkeys .empty")).to_be_visible()
    sign_out(page, origin)
