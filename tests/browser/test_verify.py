"""The page that verifies a proof of use: everything in the browser, nothing uploaded."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from clients.dev.system import System
from clients.wallet import GrantTerms
from tests.browser import axe
from tests.browser.conftest import Bank
from tests.support.log import until
from tests.support.running import new_wallet


@pytest.fixture(scope="module")
def proof(
    portal_city: System, firms: Iterator[str], bank: Bank, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, object]:
    """What a wallet exports for a use that is in the log."""
    wallet = new_wallet(portal_city, tmp_path_factory.mktemp("wallet") / "w", next(firms))
    wallet.authorize(wallet.draft(GrantTerms("bank-a", max_assessments=2)))
    bank.assess(wallet.enterprise)
    (use,) = until(lambda: [use for use in wallet.usage()[0] if use.logged])
    exported: dict[str, object] = json.loads(wallet.proof(use.assessment_id).to_json())
    wallet.close()
    return exported


@pytest.mark.parametrize("width", ["phone", "desktop"])
def test_a_proof_is_verified_in_the_browser_and_a_changed_one_is_not(
    width: str,
    portal_city: System,
    origin: str,
    browse: Callable[..., Page],
    proof: dict[str, object],
    artefacts: Path,
    tmp_path: Path,
) -> None:
    page = browse(width)
    page.goto(f"{origin}/verify")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    file, anchor = tmp_path / "proof.json", portal_city.deployment.anchor

    def verdict(members: dict[str, object], root: str) -> str:
        file.write_text(json.dumps(members))
        page.locator("#proof").set_input_files(file)
        page.locator("#enclave").set_input_files(anchor(root))
        page.locator("button[type=submit]").click()
        expect(page.locator("#verdict")).to_have_attribute("data-state", "good" if members is proof else "bad")
        return page.locator("#verdict").inner_text()

    assert "证明不成立" in verdict({**proof, "index": int(str(proof["index"])) + 1}, "enclave")
    assert "证明不成立" in verdict(dict(proof), "banks")
    assert "证明成立" in verdict(proof, "enclave")
    expect(page.locator("#details")).to_contain_text("bank-a")
    axe.check(page)
    page.screenshot(path=artefacts / f"{width}-verify.png", full_page=True)
    assert {url for url in sent if not url.endswith("/pages/icon.svg")} == set()
