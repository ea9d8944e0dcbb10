"""What an enterprise does about records, banks and delegates, in a real browser: objections that a department decides,
banks' requests granted in part, grants narrowed, delegates; and what operators see of it."""

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from xinyidai.delegation import key_claims
from xinyidai.disputes import Outcome
from xinyidai.identifiers import parse_enclave_id
from xinyidai.signing import SigningKey

from bank_sdk import BankClient, BankCredentials, ConsentClient, KeyStore
from clients.dev.delivery import department_credentials
from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from clients.uploader.objections import ObjectionClient
from server.accounts.models import AccountRole
from server.commands import add_staff_member
from server.settings import load_settings
from tests.browser import axe
from tests.browser.portal import ready, set_up
from tests.support.running import PASSPHRASE

Browse = Callable[..., Page]
Shot = Callable[[str], None]
ASKED = ("tax_payment", "tax_credit", "social_insurance")
WORDS = "七月已补缴\n凭证号 8841 <b>&"
REPLY = "经核实,记录无误 <i>&"


@pytest.fixture(scope="session")
def departments(portal_city: System) -> str:
    """The address at which departments decide."""
    return portal_city.start_ingest()


def decide(system: System, address: str, enterprise: str, record: str) -> str:
    """The department reads the objection, and says that the record is right; returns what it read."""
    credentials = department_credentials(system.deployment, "swj")
    with closing(ObjectionClient(address, credentials, [parse_enclave_id(ENCLAVE_ID)])) as desk:
        (found,) = [one for one in desk.objections() if (one.enterprise, one.record_id) == (enterprise, record)]
        desk.decide(enterprise, found.category, record, Outcome.DISMISSED, REPLY)
    return f"{found.kind}: {found.text}"


def ask(system: System, enterprise: str, folder: Path, uses: int) -> str:
    """bank-a asks the enterprise for an authorization; returns the request's digest."""
    own, anchor = system.deployment.bank("bank-a"), system.deployment.anchor
    credentials = BankCredentials.from_files(
        own / "bank.pem", own / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )

    async def request() -> str:
        store = KeyStore(folder / "keys", PASSPHRASE)
        client = await BankClient.connect(system.grpc_address, credentials, [ENCLAVE_ID], key_store=store, timeout=60)
        async with client:
            return await ConsentClient(client).request(enterprise, [ENCLAVE_ID], categories=ASKED, max_assessments=uses)

    # Not on this thread, on which the browser's driver keeps an event loop running.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, request()).result()


def button(page: Page, words: str) -> None:
    page.get_by_role("button", name=re.compile(f"^({words})")).click()


def confirm(page: Page) -> None:
    page.locator("#confirm button[value=yes]").click()
    expect(page.locator("#status.good")).to_be_visible()


def object_to_a_record(page: Page, origin: str, shot: Shot) -> str:
    page.goto(f"{origin}/portal/records?category=tax_payment")
    ready(page)
    first = page.locator("#records article").first
    record = first.locator("h2").inner_text().split()[-1]
    first.get_by_role("button").click()
    page.locator("#objection-kind").select_option("omission")
    page.locator("#objection-text").fill(WORDS)
    shot("objecting")
    page.locator("#objection button[value=yes]").click()
    expect(page.locator("#status.good")).to_be_visible()
    expect(page.locator("#records .tag.warn")).to_have_count(1)
    return record


def answer_requests(page: Page, origin: str, wanted: str, unwanted: str, shot: Shot) -> None:
    """One is granted in part, the other rejected."""
    page.goto(f"{origin}/portal/requests")
    ready(page)
    shot("requests")
    page.locator(f'[data-digest="{unwanted}"]').get_by_role("button").click()
    confirm(page)
    page.locator(f'[data-digest="{wanted}"] a[href*="less"]').click()
    expect(page.locator("#step-1")).to_be_visible()
    page.locator("#uses").fill("2")
    page.locator('#categories input[value="tax_credit"]').uncheck()
    shot("answer")
    page.locator("#step-1 button.main").click()
    expect(page.locator("#notice")).to_contain_text(wanted[:16])
    shot("answer-notice")
    page.locator("#step-2 button.main").click()
    expect(page.locator("#after")).to_be_visible()


def is_not_fooled(page: Page, origin: str) -> None:
    """By a platform that shows a request to another enterprise, or an old answer about objections."""
    claims = {"iss": "bank-a", "sub": "91320700MA1XXXXXX0", "categories": ["tax_payment"], "disclosure": "total"}
    numbers = {"max_assessments": 1, "valid_days": 1, "precision_points": 0, "respond_by": 1}
    forged = SigningKey.generate("ES256").sign({**claims, **numbers}, "authorization-request+jwt")
    page.route("**/v1/authorization-requests", lambda route: route.fulfill(json={"requests": [forged]}))
    page.goto(f"{origin}/portal/requests")
    expect(page.locator("#status.bad")).to_be_visible()
    with page.expect_response("**/v1/objections") as earlier:
        page.goto(f"{origin}/portal/objections")
    answer = earlier.value.json()
    ready(page)
    page.route("**/v1/objections", lambda route: route.fulfill(json=answer))
    page.reload()
    expect(page.locator("#status.bad")).to_be_visible()
    expect(page.locator("#objections article")).to_have_count(0)
    page.unroute_all()


def narrow(page: Page, origin: str) -> None:
    """The one grant in force: one category of two."""
    page.goto(f"{origin}/portal/authorizations")
    ready(page)
    page.locator('a[href*="answer?authorization="]').click()
    page.locator('#categories input[value="social_insurance"]').uncheck()
    page.locator("#step-1 button.main").click()
    expect(page.locator("#notice")).to_contain_text("It replaces your authorization")
    page.locator("#step-2 button.main").click()
    expect(page.locator("#after")).to_be_visible()


def delegate_and_end(page: Page, origin: str, shot: Shot) -> None:
    page.goto(f"{origin}/portal/delegates")
    ready(page)
    accountant = SigningKey.generate("ES256")
    page.locator("#name").fill("王*")
    page.locator("input[value=view]").check()
    page.locator("#key").fill('{"kty":"EC","crv":"P-256","x":"%s","y":"%s","d":"%s"}' % (("A" * 43,) * 3))
    page.locator("#add button").click()
    expect(page.locator("#status.bad")).to_contain_text(re.compile("私钥|private key"))
    page.locator("#key").fill(str(key_claims(accountant.public)).replace("'", '"'))
    page.locator("#add button").click()
    expect(page.locator("#confirm-about")).to_contain_text(accountant.public.thumbprint)
    shot("delegating")
    confirm(page)
    expect(page.locator(f'[data-delegate="{accountant.public.thumbprint}"] .tag.good')).to_be_visible()
    shot("delegates")
    button(page, "终止|End")
    confirm(page)
    expect(page.locator("#delegates .tag.good")).to_have_count(0)


@pytest.mark.parametrize(("width", "language"), [("phone", "zh"), ("desktop", "en")])
def test_an_enterprise_objects_answers_banks_narrows_and_delegates(
    width: str, language: str, portal_city: System, origin: str, firms: Iterator[str], browse: Browse,
    departments: str, artefacts: Path, tmp_path: Path,
) -> None:  # fmt: skip
    firm = next(firms)
    page = browse(width, language, origin)

    def shot(name: str) -> None:
        whole = name not in ("objecting", "delegating")
        page.screenshot(path=artefacts / f"{width}-{language}-{name}.png", full_page=whole)
        axe.check(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"

    set_up(page, portal_city, origin, firm, tmp_path)
    record = object_to_a_record(page, origin, shot)
    page.goto(f"{origin}/portal/objections")
    ready(page)
    expect(page.locator('[data-stage="marked"]')).to_contain_text("凭证号 8841 <b>&")
    expect(page.locator("#rule")).to_contain_text("连云港" if language == "zh" else "Lianyungang")
    shot("objections")
    assert decide(portal_city, departments, firm, record) == f"omission: {WORDS.replace(chr(10), ' ')}"
    page.reload()
    expect(page.locator('[data-stage="dismissed"]')).to_contain_text(REPLY)
    shot("objection-decided")

    wanted, unwanted = (ask(portal_city, firm, tmp_path, uses) for uses in (3, 1))
    answer_requests(page, origin, wanted, unwanted, shot)
    narrow(page, origin)
    page.goto(f"{origin}/portal/authorizations")
    ready(page)
    expect(page.locator('[data-state="active"]')).to_have_count(1)
    expect(page.locator('[data-state="revoked"]')).to_have_count(1)
    shot("narrowed")
    page.goto(f"{origin}/portal/answer?request={wanted}")
    expect(page.locator("#status.bad")).to_be_visible()
    delegate_and_end(page, origin, shot)
    is_not_fooled(page, origin)


@pytest.mark.parametrize(("width", "language", "role"), [("phone", "zh", "operator"), ("desktop", "en", "department")])
def test_operators_and_departments_see_how_far_objections_are(
    width: str, language: str, role: str, portal_city: System, origin: str, browse: Browse, artefacts: Path
) -> None:
    staff_id = f"objections-{width}"
    code = add_staff_member(load_settings(portal_city.deployment.server_config), AccountRole(role), staff_id, "X")
    page = browse(width, language)
    page.goto(f"{origin}/operator/enrol?lang={language}")
    page.locator(f"input[value={role}]").check()
    page.locator("#staff-id").fill(staff_id)
    page.locator("#code").fill(code)
    page.locator("#enrol button").click()
    page.wait_for_url(re.compile("/operator(/account)?$"))
    page.goto(f"{origin}/operator/objections")
    expect(page.locator('[data-stage="decided"]')).to_have_text(re.compile(r"^\d+$"))
    axe.check(page)
    page.screenshot(path=artefacts / f"{width}-{language}-{role}-objections.png", full_page=True)
