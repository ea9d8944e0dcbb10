"""Accessibility, checked by axe-core in the page."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

_AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"


def check(page: Page) -> None:
    """Fails on every violation that axe calls serious or critical, with what and where."""
    if not _AXE.exists():
        pytest.fail("没有 axe-core,请运行 make .venv/node / no axe-core; run make .venv/node")
    page.evaluate(_AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document, { resultTypes: ['violations'] })).violations")
    serious = [
        (one["id"], one["help"], [node["target"] for node in one["nodes"]][:3])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == [], (page.url, serious)
