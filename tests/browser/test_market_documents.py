"""Demands, loans and the white list: what the browser computes, shows and signs is what the Python side does."""

import json
import time
from collections.abc import Callable
from random import Random
from typing import Any

from playwright.sync_api import Page, Route
from xinyidai.catalogue import builtin_catalogue
from xinyidai.cost import cost_of, schedule
from xinyidai.demands import DEMAND_TYPE, DemandAction, DemandDocument, parse_demand_document
from xinyidai.identifiers import parse_bank_id, parse_enclave_id, parse_uscc
from xinyidai.identity import Role
from xinyidai.loans import LOAN_TYPE, LoanAction, due_dates, parse_day, parse_loan_document
from xinyidai.market import DemandTerms, Guarantee, LoanPurpose, OfferTerms, Repayment
from xinyidai.purposes import DAY_SECONDS
from xinyidai.requests import Stamp
from xinyidai.signing import SigningKey, VerifyingKey, read_header, signed_digest
from xinyidai.whitelist.scorecard import public_scorecard
from xinyidai.whitelist.statements import (
    OPT_IN_TYPE,
    OPT_OUT_TYPE,
    Confirmation,
    OptIn,
    notice_hash,
    parse_opt_in,
    parse_opt_out,
    render_notice,
)

from tests.support.certificates import make_authority
from tests.support.parties import uscc_number

FIRM = parse_uscc(uscc_number(7))
CATALOGUE = builtin_catalogue()
SCORECARD = public_scorecard(CATALOGUE)
NEW_DEVICE = """async (uscc) => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    const spki = new Uint8Array(await crypto.subtle.exportKey('spki', pair.publicKey));
    globalThis.device = { uscc, pair, chain: [Uint8Array.of(1)], enclaveRoots: [] };
    return (await load('certificates.js')).toPem('PUBLIC KEY', spki); }"""


def new_device(page: Page) -> VerifyingKey:
    """A key on the page, as `device`."""
    return VerifyingKey.from_pem(page.evaluate(NEW_DEVICE, FIRM).encode())


def sent(page: Page, path: str, script: str, argument: Any = None) -> dict[str, str]:
    """What a script posts there. The answer is an empty one, which no script may take for a success."""
    caught: list[dict[str, str]] = []

    def answer(route: Any) -> None:
        caught.append(json.loads(route.request.post_data))
        route.fulfill(status=200, content_type="application/json", body="{}")

    page.route(f"**{path}", answer)
    believed = page.evaluate(f"(argument) => ({script})(argument).then(() => true, () => false)", argument)
    page.unroute(f"**{path}")
    assert believed is False and len(caught) == 1
    return caught[0]


def confirming(signer: SigningKey, *, listed: bool, same: bool) -> Callable[[Route], None]:
    """Answers an opt-in or opt-out: with a word on it, or on another."""

    def answer(route: Route) -> None:
        statement = signed_digest(json.loads(route.request.post_data or "")["statement"]) if same else "0" * 64
        word = Confirmation(parse_enclave_id("e-1"), FIRM, listed, statement, int(time.time()))
        body = json.dumps({"confirmation": word.sign(signer)})
        route.fulfill(status=200, content_type="application/json", body=body)

    return answer


def random_offer(random: Random) -> OfferTerms:
    amount = random.randrange(10_000, 10 ** random.randint(5, 13))
    return OfferTerms(
        amount_fen=amount,
        annual_rate_bp=random.choice([0, 1, random.randrange(3_601), 3_600]),
        months=random.choice([1, 2, random.randint(1, 120), 360]),
        fee_fen=random.choice([0, random.randrange(amount)]),
        repayment=random.choice(list(Repayment)),
        valid_until=1_800_000_000,
    )


def test_costs_and_schedules_are_the_same_numbers(page: Page) -> None:
    random = Random(8)
    offers = [random_offer(random) for _ in range(150)]
    starts = [f"20{random.randint(24, 30)}-{random.randint(1, 12):02d}-{random.randint(1, 28):02d}" for _ in offers]
    starts[:3] = ["2027-01-31", "2028-01-29", "2026-12-30"]
    found = page.evaluate(
        """async ([offers, starts]) => {
            const { costOf, dueDates, schedule } = await load('cost.js');
            return offers.map((one, at) => [costOf(one), schedule(one), dueDates(starts[at], one.months)]); }""",
        [[offer.claims() for offer in offers], starts],
    )
    for offer, start, (cost, entries, days) in zip(offers, starts, found, strict=True):
        ours = cost_of(offer)
        assert cost == {"interest": ours.interest_fen, "total": ours.total_fen, "annualised": ours.annualised_bp}, offer
        assert [(e["month"], e["principal"], e["interest"]) for e in entries] == [
            (e.month, e.principal_fen, e.interest_fen) for e in schedule(offer)
        ]
        assert days == [day.isoformat() for day in due_dates(parse_day(start), offer.months)]


def test_an_offer_whose_costs_do_not_follow_from_its_terms_is_refused(page: Page) -> None:
    offer = random_offer(Random(9))
    cost = cost_of(offer)
    honest = {
        **offer.claims(), "interest_fen": cost.interest_fen, "total_cost_fen": cost.total_fen,
        "annualised_bp": cost.annualised_bp,
    }  # fmt: skip
    lies = [{**honest, name: honest[name] - 1} for name in ("interest_fen", "total_cost_fen", "annualised_bp")]
    taken = page.evaluate(
        """async (offers) => {
            const { checkedOffer } = await load('market.js');
            return offers.map((one) => { try { checkedOffer(one); return true; } catch { return false; } }); }""",
        [honest, *lies],
    )
    assert taken == [True, False, False, False]


def test_demands_of_the_browser_verify(page: Page) -> None:
    key = new_device(page)
    terms = DemandTerms(
        50_000_000, 12, LoanPurpose.EQUIPMENT, (Guarantee.CREDIT, Guarantee.PLEDGE), "320703", "C", 40, 2, 1_900_000_000
    )
    demand = {"demand_id": "d" * 32, "version": 3}
    posts: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "postDemand(device, argument)": (terms.claims(), {"action": DemandAction.POST, "terms": terms}),
        "withdrawDemand(device, argument)": (demand, {"action": DemandAction.WITHDRAW, "demand": "d" * 32}),
        "acceptOffer(device, argument, { offer_id: 'o-1' })": (
            demand, {"action": DemandAction.ACCEPT, "demand": "d" * 32, "version": 3, "offer": "o-1"},
        ),
    }  # fmt: skip
    for call, (argument, members) in posts.items():
        script = (
            f"async (argument) => {{ const {{ {call.partition('(')[0]} }} = await load('market.js'); return {call}; }}"
        )
        raw = sent(page, "/v1/demands", script, argument)["demand"]
        found = parse_demand_document(key.verify(raw, DEMAND_TYPE))
        assert found == DemandDocument(found.stamp, FIRM, **members)
        assert read_header(raw)["x5c"] == ["AQ=="]


def test_confirmations_of_loans_verify(page: Page) -> None:
    key = new_device(page)
    terms = random_offer(Random(10)).claims()
    entry = {**terms, "loan_id": "l-1", "bank": "bank-a", "disbursed_on": "2026-11-02", "state": "disbursed"}
    script = "async (loan) => (await load('market.js')).confirmLoan(device, loan).then((done) => done.loan_id.length)"
    raw = sent(page, "/v1/loans", script, entry)["loan"]
    found = parse_loan_document(key.verify(raw, LOAN_TYPE))
    assert found.action is LoanAction.CONFIRM and found.facts is not None
    shown = ("amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen", "disbursed_on")
    assert found.facts.claims() == {"loan": "l-1", "client_id": "bank-a", **{name: entry[name] for name in shown}}


def test_the_notice_of_the_white_list_is_the_same_text(page: Page) -> None:
    random = Random(11)
    drafts = []
    for _ in range(100):
        begin = random.randrange(1 << 31)
        enclaves = tuple(parse_enclave_id(f"e-{n}") for n in range(random.randint(1, 3)))
        stamp = Stamp(FIRM, enclaves, "n" * 24, begin, begin + 240)
        banks = tuple(parse_bank_id(f"bank-{n}") for n in range(random.randint(0, 4)))
        end = begin + random.randint(1, 366) * DAY_SECONDS
        drafts.append(OptIn(stamp, FIRM, banks, end, SCORECARD.reference, SCORECARD.digest, ""))
    claims = [
        {**d.stamp.claims(), "sub": FIRM, "not_after": d.not_after, **({"banks": list(d.banks)} if d.banks else {})}
        for d in drafts
    ]
    shown = page.evaluate(
        """async ([claims, document]) => {
            const { renderListNotice } = await load('white-list.js');
            const { white_list: scorecard } = await (await fetch('/portal/api/terms')).json();
            return claims.map((one) => renderListNotice(one, scorecard, document)); }""",
        [claims, json.loads(CATALOGUE.canonical)],
    )
    assert shown == [render_notice(draft, SCORECARD, CATALOGUE) for draft in drafts]


def test_opting_in_and_out_verifies_and_only_the_enclaves_word_on_it_is_believed(page: Page) -> None:
    key = new_device(page)
    join = """async (document) => {
        const { draftOptIn, joinList, renderListNotice } = await load('white-list.js');
        const { white_list: scorecard } = await (await fetch('/portal/api/terms')).json();
        const draft = await draftOptIn(device, ['bank-a'], 30, scorecard);
        return joinList(device, draft, renderListNotice(draft, scorecard, document)); }"""
    leave = "async () => (await load('white-list.js')).leaveList(device)"
    raw = sent(page, "/v1/white-list", join, json.loads(CATALOGUE.canonical))["statement"]
    opt_in = parse_opt_in(key.verify(raw, OPT_IN_TYPE))
    assert (opt_in.enterprise, opt_in.banks, opt_in.scorecard_digest) == (FIRM, ("bank-a",), SCORECARD.digest)
    assert opt_in.notice_hash == notice_hash(opt_in, SCORECARD, CATALOGUE)
    raw = sent(page, "/v1/white-list", leave)["statement"]
    assert parse_opt_out(key.verify(raw, OPT_OUT_TYPE)).enterprise == FIRM

    authority, other = make_authority("Enclaves"), make_authority("Enclaves")
    page.evaluate(
        "async (root) => { device.enclaveRoots = (await load('certificates.js')).certificatesOf(root); }",
        authority.pem.decode(),
    )
    honest = authority.issue(Role.ENCLAVE, "e-1").signing_key()
    forged = other.issue(Role.ENCLAVE, "e-1").signing_key()
    cases = [(forged, False, True), (honest, True, True), (honest, False, False), (honest, False, True)]
    believed = []
    for signer, listed, same in cases:
        page.route("**/v1/white-list", confirming(signer, listed=listed, same=same))
        believed.append(page.evaluate(f"() => ({leave})().then(() => true, () => false)"))
        page.unroute("**/v1/white-list")
    assert believed == [False, False, False, True]
    assert (
        page.evaluate("async (uscc) => (await (await load('device.js')).findDevice(uscc)).whiteList.state", FIRM)
        == "out"
    )
