"""A real Chromium in front of a running city. Screenshots go to XYD_ARTEFACTS, by default build/artefacts."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect, sync_playwright
from xinyidai.identifiers import check_character_holds, parse_uscc

from bank_sdk import AssessmentResult, RegisteredModel
from clients.demo.scorecard import expert_scorecard
from clients.dev.system import System
from tests.support.running import bank_client, city_system

ROOT = Path(__file__).parents[2]
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
PATIENCE_MS = 60_000
"""A page waits for an enclave, a database and a city's other work."""
WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}


PLANTED_NAME = "连云港植入标记七三五一有限公司"
PLANTED_CAPITAL = 73519.462817
"""What one enterprise's registration says, so that it can be looked for."""
BASE_POINTS = 735_194_628
"""What the bank's model adds: a score is a number that occurs by chance nowhere."""


def planted_firm(records: Path) -> str:
    """The first that is registered and pays taxes."""
    codes = [parquet.read_table(records / f"{name}.parquet", columns=["uscc"])["uscc"].unique().to_pylist()
             for name in ("enterprise_registration", "tax_payment")]  # fmt: skip
    return next(str(code) for code in codes[0] if code in codes[1] and check_character_holds(parse_uscc(code)))


def plant(records: Path) -> None:
    path = records / "enterprise_registration.parquet"
    rows, firm = parquet.read_table(path), planted_firm(records)
    changed = [
        {**row, "ent_name": PLANTED_NAME, "reg_capital": PLANTED_CAPITAL} if row["uscc"] == firm else row
        for row in rows.to_pylist()
    ]
    parquet.write_table(pa.Table.from_pylist(changed, rows.schema), path)


@pytest.fixture(scope="session")
def portal_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """40 synthetic enterprises in the real enclave and the real server, and bank-a."""
    patient = {"enclave_deadline_seconds": PATIENCE_MS // 1000, "dashboard_seconds": 0}
    root = tmp_path_factory.mktemp("portal") / "d"
    with city_system(root, enterprises=40, banks=("bank-a",), server=patient, prepare=plant) as system:
        yield system


@pytest.fixture(scope="session")
def firms(portal_city: System) -> Iterator[str]:
    """Enterprises with tax records but the planted one, each given once."""
    records = portal_city.deployment.records
    codes = parquet.read_table(records / "tax_payment.parquet", columns=["uscc"])["uscc"].unique().to_pylist()
    planted = planted_firm(records)
    return iter([code for code in codes if code != planted and check_character_holds(parse_uscc(code))])


@pytest.fixture(scope="session")
def origin(portal_city: System) -> str:
    """Where passkeys work: their host is a name."""
    return f"https://localhost:{portal_city.rest_url.rpartition(':')[2]}"


class Bank:
    """bank-a with a model, on a thread of its own: the browser's driver keeps this one's event loop running."""

    def __init__(self, system: System) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._client = self._thread.submit(bank_client, system, "bank-a").result()
        self._model = self._thread.submit(self._register).result()

    def _register(self) -> RegisteredModel:
        card = expert_scorecard(self._client.catalogue())
        return self._client.register(replace(card, base_points=BASE_POINTS))

    def assess(self, enterprise: str) -> AssessmentResult:
        """A fresh one."""
        return self._thread.submit(self._client.assess, enterprise, self._model, fresh=True).result()

    def close(self) -> None:
        self._thread.submit(self._client.close).result()
        self._thread.shutdown()


@pytest.fixture(scope="session")
def bank(portal_city: System) -> Iterator[Bank]:
    made = Bank(portal_city)
    yield made
    made.close()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """No longer than the tests of a file: its driver keeps an event loop running, beside which nobody else's can."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.fail("没有 chromium,请运行 make .venv/chromium / no chromium; run make .venv/chromium")
    return found


@pytest.fixture
def profile(tmp_path: Path, portal_city: System) -> Path:
    """A home whose certificate store trusts the city's own platform root and nothing else of ours."""
    store = tmp_path / "home" / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    root = portal_city.deployment.anchor("platform")
    for command in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "platform", "-i", str(root)]):
        subprocess.run(["certutil", "-d", database, *command], check=True, capture_output=True)
    return tmp_path / "home"


@pytest.fixture
def artefacts() -> Path:
    made = Path(os.environ.get("XYD_ARTEFACTS", ROOT / "build" / "artefacts"))
    made.mkdir(parents=True, exist_ok=True)
    return made


@pytest.fixture
def browse(playwright: Playwright, chromium: str, profile: Path) -> Iterator[Callable[..., Page]]:
    """A new browser with a passkey authenticator of its own; whatever a page logs or throws fails the test."""
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def start(width: str = "desktop", language: str = "zh", origin: str = "") -> Page:
        wide, high = WIDTHS[width]
        context = playwright.chromium.launch_persistent_context(
            str(profile / f"profile-{len(opened)}"),
            executable_path=chromium,
            headless=True,
            args=list(ARGUMENTS),
            env={**os.environ, "HOME": str(profile)},
            viewport={"width": wide, "height": high},
            locale="zh-CN" if language == "zh" else "en-GB",
            accept_downloads=True,
        )
        opened.append(context)
        page = context.pages[0]
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        session = context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }  # fmt: skip
        session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        page.set_default_timeout(PATIENCE_MS)
        if origin:
            page.goto(f"{origin}/portal/sign-in?lang={language}")
        return page

    yield start
    for context in opened:
        context.close()
    assert complaints == []


@pytest.fixture
def page(browse: Callable[..., Page], origin: str) -> Page:
    """Where modules can be loaded from."""
    opened = browse(origin=origin)
    opened.evaluate(
        """() => { const base = document.querySelector('link[rel=stylesheet]').href.replace('style.css', '');
        globalThis.load = (name) => import(base + name); }"""
    )
    return opened
