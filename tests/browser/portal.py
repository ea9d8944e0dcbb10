"""What a person does on the pages, step by step."""

import re
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect

from clients.dev.system import System


def set_up(page: Page, system: System, origin: str, uscc: str, folder: Path) -> None:
    """Make the key, have the registrar certify it, load the certificates; ends signed in."""
    page.goto(f"{origin}/portal/setup")
    page.locator("#uscc").fill(uscc)
    with page.expect_download() as download:
        page.locator("#make button").click()
    request = folder / "request.pem"
    download.value.save_as(request)
    certificate = folder / "certificate.pem"
    certificate.write_bytes(system.deployment.enrol(uscc, request.read_bytes()))
    page.locator("#certificate").set_input_files(certificate)
    page.locator("#enclave").set_input_files(system.deployment.anchor("enclave"))
    page.locator("#load button").click()
    page.wait_for_url(f"{origin}/portal")


def ready(page: Page) -> None:
    """Until the page has said what it is working on is done."""
    expect(page.locator("#status")).not_to_have_text("请稍候……")
    expect(page.locator("#status")).not_to_have_text("One moment …")
    expect(page.locator("#status.bad")).to_have_count(0)


def add_passkey(page: Page, origin: str, label: str) -> None:
    page.goto(f"{origin}/portal/account")
    page.locator("#label").fill(label)
    page.locator("#add button").click()
    expect(page.locator("#passkeys tbody th", has_text=label)).to_be_visible()


def sign_out(page: Page, origin: str) -> None:
    page.locator("#sign-out").click()
    page.wait_for_url(f"{origin}/portal/sign-in")


def sign_in_with_passkey(page: Page, origin: str) -> None:
    page.locator("#with-passkey").click()
    page.wait_for_url(f"{origin}/portal")


def grant(page: Page, origin: str, uses: int = 2, days: int = 20) -> Iterator[str]:
    """Three screens; stops at each, and when it is done."""
    page.goto(f"{origin}/portal/grant")
    ready(page)
    yield "bank"
    page.locator("#step-1 button.main").click()
    page.locator("#uses").fill(str(uses))
    page.locator("#days").fill(str(days))
    yield "limits"
    page.locator("#step-2 button.main").click()
    expect(page.locator("#notice")).to_contain_text("bank-a")
    yield "notice"
    page.locator("#step-3 button.main").click()
    expect(page.locator("#after")).to_be_visible()
    yield "done"


def act(page: Page, verb: str) -> None:
    """Pause, resume or revoke the one grant there is, on its page."""
    names = {"pause": r"^(暂停|Pause)", "resume": r"^(恢复|Resume)", "revoke": r"^(撤销|Revoke)"}
    page.get_by_role("button", name=re.compile(names[verb])).click()
    page.locator("#confirm button[value=yes]").click()
    expect(page.locator("#status.good")).to_be_visible()


def set_budget(page: Page, bits: str) -> None:
    """Of bank-a, on the page of uses."""
    if not page.locator("#budget").is_visible():
        page.locator("summary").click()
    page.locator("#budget-bank").select_option("bank-a")
    page.locator("#budget-bits").fill(bits)
    page.locator("#budget button").click()
    expect(page.locator("#status.good")).to_be_visible()
