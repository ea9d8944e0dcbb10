"""Operators in a real browser: enrolling with a code, the audit, signing out and in again."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.dev.system import System
from server.accounts.models import AccountRole
from server.commands import add_staff_member
from server.settings import load_settings
from tests.browser import axe


@pytest.mark.parametrize(("width", "language"), [("phone", "en"), ("desktop", "zh")])
def test_an_operator_enrols_with_a_code_and_sees_who_signed_in(
    width: str, language: str, portal_city: System, origin: str, browse: Callable[..., Page], artefacts: Path
) -> None:
    staff_id = f"operator-{width}"
    settings = load_settings(portal_city.deployment.server_config)
    code = add_staff_member(settings, AccountRole.OPERATOR, staff_id, "Operator")
    page = browse(width, language, origin)
    page.goto(f"{origin}/operator/enrol")
    axe.check(page)
    page.locator("#staff-id").fill(staff_id)
    page.locator("#code").fill(code)
    page.locator("#enrol button").click()
    page.wait_for_url(f"{origin}/operator")
    expect(page.locator("#events tbody tr").first).to_be_visible()
    axe.check(page)
    page.screenshot(path=artefacts / f"{width}-{language}-operator.png", full_page=True)
    rows = page.locator("#events tbody tr").count()
    with page.expect_response(f"{origin}/operator/events"):
        page.get_by_role("button", name="刷新" if language == "zh" else "Refresh").click()
    expect(page.locator("#events tbody tr")).not_to_have_count(rows)
    page.locator("#sign-out").click()
    page.wait_for_url(f"{origin}/operator/sign-in")
    page.locator("#with-passkey").click()
    page.wait_for_url(f"{origin}/operator")
