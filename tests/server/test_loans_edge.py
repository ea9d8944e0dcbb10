"""What a bank, an enterprise and the public meet: gRPC, REST and the page, in front of the running platform."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from xinyidai.demands import DemandAction
from xinyidai.identifiers import EnclaveId
from xinyidai.loans import LoanAction, LoanDocument, LoanFacts, RiskClass, city_date, parse_loan_facts
from xinyidai.reasons import Reason
from xinyidai.requests import Stamp
from xinyidai.signing import Claims
from xinyidai.status import read_error
from xinyidai.v1 import loan_pb2, loan_pb2_grpc, market_pb2

from bank_sdk import BankClient, BankCredentials, InputError, KeyStore, LoanClient, LoanRefused, next_step
from clients.dev.deployment import ENCLAVE_ID
from server.app import build_parser
from server.commands import add_bank, now, open_database
from server.errors import RequestInvalid
from server.loans.errors import LoanUnknown
from server.risk.commands import run_risk
from server.risk.errors import FilingClosed
from tests.server.test_market_edge import DEMAND, OFFER, PRODUCT, act, offer_request, signed, stub
from tests.server.test_quality import Page
from tests.support.lending import SCHEME
from tests.support.parties import RawEnterprise
from tests.support.platform import PlatformUnderTest

FEN = OFFER.amount_fen


@pytest.fixture(scope="module")
def lending(platform: PlatformUnderTest, tmp_path_factory: pytest.TempPathFactory) -> PlatformUnderTest:
    """bank-a with a product, and a scheme with filled funds."""
    stub(platform, "bank-a").PublishProduct(
        market_pb2.PublishProductRequest(code="credit", terms=market_pb2.ProductTerms(**PRODUCT.claims()))
    )
    scheme = tmp_path_factory.mktemp("scheme") / "scheme.toml"
    scheme.write_text(SCHEME.replace("confirmed = false", "confirmed = true"))
    assert "pool" in program(platform, "publish", str(scheme)).stdout
    for party in ("guarantor", "province", "national"):
        assert "已入账" in risk(platform, "contribute", "pool", party, "100000000", "v-1")
    return platform


def risk(platform: PlatformUnderTest, command: str, *words: str) -> str:
    """What the command prints. Raises what it ends with."""
    line = ["risk", command, "--config", str(platform.bare.deployment.server_config), *words]
    with closing(open_database(platform.settings)) as database:
        return run_risk(database, build_parser().parse_args(line), now)


def program(platform: PlatformUnderTest, *words: str) -> "subprocess.CompletedProcess[str]":
    """The same as people start it."""
    config = ["--config", str(platform.bare.deployment.server_config)]
    line = [sys.executable, "-m", "server.app", "risk", words[0], *config, *words[1:]]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)


def loans(platform: PlatformUnderTest, bank: str = "bank-a") -> loan_pb2_grpc.LoanServiceStub:
    return loan_pb2_grpc.LoanServiceStub(platform.channel(bank))  # type: ignore[no-untyped-call]


def document(enterprise: RawEnterprise, action: LoanAction, facts: LoanFacts | None = None) -> str:
    at = now()
    stamp = Stamp(enterprise.uscc, (EnclaveId(ENCLAVE_ID),), secrets.token_urlsafe(24), at, at + 240)
    return LoanDocument(stamp, enterprise.uscc, action, facts).sign(enterprise.key)


def own(platform: PlatformUnderTest, enterprise: RawEnterprise) -> list[dict[str, Any]]:
    token = document(enterprise, LoanAction.READ)
    found: list[dict[str, Any]] = platform.http.get("/v1/loans", headers={"Authorization": f"Loan {token}"}).json()[
        "loans"
    ]
    return found


def confirm(platform: PlatformUnderTest, enterprise: RawEnterprise, entry: dict[str, Any], **changes: Any) -> Any:
    names = ("amount_fen", "annual_rate_bp", "months", "repayment", "fee_fen", "disbursed_on")
    members = {"loan": entry["loan_id"], "client_id": entry["bank"], **{n: entry[n] for n in names}, **changes}
    raw = document(enterprise, LoanAction.CONFIRM, parse_loan_facts(Claims(members)))
    return platform.http.post("/v1/loans", json={"loan": raw}).json()


def won(platform: PlatformUnderTest, number: int) -> tuple[RawEnterprise, str]:
    """An enterprise whose demand bank-a won."""
    enterprise, bank = platform.enterprise(number), stub(platform, "bank-a")
    demand = act(platform, signed(enterprise, DemandAction.POST, terms=DEMAND))["demand_id"]
    bank.Grab(market_pb2.GrabRequest(demand_id=demand))
    offer = bank.Offer(offer_request(demand))
    act(platform, signed(enterprise, DemandAction.ACCEPT, demand=demand, version=1, offer=offer.offer_id))
    return enterprise, demand


def report(loan: str, **members: Any) -> dict[str, Any]:
    return {"loan_id": loan, "request_id": secrets.token_hex(8), "day": str(city_date(now())), **members}


def refused(caught: pytest.ExceptionInfo[grpc.RpcError]) -> Reason | None:
    wire = read_error(caught.value)
    return wire.reason if wire else None


def test_from_an_accepted_offer_to_a_recovery(lending: PlatformUnderTest) -> None:
    enterprise, demand = won(lending, 40)
    bank = loans(lending)
    loan = bank.RegisterLoan(loan_pb2.RegisterLoanRequest(demand_id=demand, first_loan=True)).loan_id
    paid = bank.ReportDisbursement(loan_pb2.ReportDisbursementRequest(**report(loan)))
    assert (paid.state, paid.amount_fen, paid.enterprise, paid.confirmed_at) == ("disbursed", FEN, enterprise.uscc, 0)
    with pytest.raises(grpc.RpcError) as caught:
        bank.FileLoan(loan_pb2.FileLoanRequest(loan_id=loan, scheme_id="pool"))
    assert refused(caught) is Reason.FILING_INELIGIBLE

    (entry,) = own(lending, enterprise)
    assert (entry["loan_id"], entry["confirmed"], entry["reports"][0]["kind"]) == (loan, False, "disbursement")
    assert confirm(lending, enterprise, entry, amount_fen=FEN - 1)["reason"] == "LOAN_TERMS"
    assert confirm(lending, enterprise, entry)["confirmed"]

    (scheme,) = bank.ListSchemes(loan_pb2.ListSchemesRequest()).schemes
    assert sum(tier.share_bp for tier in scheme.tiers) == 10_000 and not scheme.paused
    assert bank.FileLoan(loan_pb2.FileLoanRequest(loan_id=loan, scheme_id="pool")).principal_fen == FEN
    bad = loan_pb2.ReportClassRequest(**report(loan, risk_class="loss"))
    assert bank.ReportClass(bad).state == bank.ReportClass(bad).state == "bad"
    assert bank.ClaimCompensation(loan_pb2.ClaimCompensationRequest(loan_id=loan)).claimed_fen == FEN

    assert loan in risk(lending, "filings", "--state", "claimed")
    assert "approved" in risk(lending, "approve", loan, "--by", "赵")
    with pytest.raises(FilingClosed, match="另一人"):
        risk(lending, "pay", loan, "--by", "赵")
    assert "paid" in risk(lending, "pay", loan, "--by", "钱")
    found = bank.ReportRecovery(loan_pb2.ReportRecoveryRequest(**report(loan, amount_fen=1_000)))
    assert sum(share.share_fen for share in found.shares) == FEN
    assert sum(share.recovered_fen for share in found.shares) == 1_000
    listed = bank.ListFilings(loan_pb2.ListFilingsRequest(states=["paid"])).filings
    assert [filing.loan_id for filing in listed] == [loan]
    assert f"{100_000_000 - FEN * 2000 // 10_000}" in risk(lending, "balances", "pool")
    assert f"bank-a: 备案 / filed {FEN} 申请 / claimed {FEN}" in risk(lending, "positions", "pool")
    assert "closed" in risk(lending, "write-off", loan)
    kinds = [row["kind"] for row in lending.audit() if row["outcome"] == "OK"]
    assert {"register_loan", "report_loan", "confirm_loan", "file_loan", "claim_compensation", "approve_claim",
            "pay_claim", "report_recovery", "write_off"} <= set(kinds)  # fmt: skip


async def test_the_same_with_the_banks_library(lending: PlatformUnderTest, tmp_path: Path) -> None:
    deployment = lending.bare.deployment
    folder, anchor = deployment.bank("bank-a"), deployment.anchor
    credentials = BankCredentials.from_files(
        folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )
    enterprise, demand = await asyncio.to_thread(won, lending, 44)
    today, store = city_date(now()), KeyStore(tmp_path / "keys", "of a test")
    async with await BankClient.connect(lending.grpc_address, credentials, key_store=store, timeout=30) as client:
        bank = LoanClient(client)
        loan = await bank.register(demand, first_loan=True)
        assert (loan.state, loan.disbursed_on, loan.first_loan) == ("registered", None, True)
        with pytest.raises(LoanRefused) as caught:
            await bank.repay(loan.loan_id, today, principal_fen=1, interest_fen=0)
        assert caught.value.reason is Reason.LOAN_STATE and next_step(caught.value).zh
        with pytest.raises(InputError):
            await bank.repay(loan.loan_id, today, principal_fen=2**70, interest_fen=0)
        loan = await bank.disburse(loan.loan_id, today, request_id="paid-out-44")
        assert (await bank.disburse(loan.loan_id, today, request_id="paid-out-44")).disbursed_on == today
        (entry,) = await asyncio.to_thread(own, lending, enterprise)
        await asyncio.to_thread(confirm, lending, enterprise, entry)
        (scheme,) = await bank.schemes()
        assert sum(scheme.tiers.values()) == 10_000
        assert (await bank.file(loan.loan_id, scheme.scheme_id)).state == "filed"
        assert (await bank.repay(loan.loan_id, today, principal_fen=100, interest_fen=5)).state == "repaying"
        assert (await bank.classify(loan.loan_id, today, RiskClass.DOUBTFUL)).state == "bad"
        assert (await bank.claim(loan.loan_id)).claimed_fen == FEN - 100
        assert [found.loan_id for found in await bank.loans(["bad"])] == [loan.loan_id]
        for command, who in (("approve", "a"), ("pay", "b")):
            await asyncio.to_thread(risk, lending, command, loan.loan_id, "--by", who)
        filing = await bank.recover(loan.loan_id, today, 77)
        assert (sum(filing.shares.values()), sum(filing.recovered.values())) == (FEN - 100, 77)
        assert loan.loan_id in [found.loan_id for found in await bank.filings(["paid"])]
        _, other = await asyncio.to_thread(won, lending, 45)
        assert (await bank.cancel((await bank.register(other)).loan_id)).state == "cancelled"


def test_another_bank_learns_nothing_and_changes_nothing(lending: PlatformUnderTest) -> None:
    certificate = lending.bare.deployment.bank("bank-b") / "bank.pem"
    add_bank(lending.settings, "bank-b", "乙银行", "Bank B", certificate)
    _, demand = won(lending, 41)
    loan = loans(lending).RegisterLoan(loan_pb2.RegisterLoanRequest(demand_id=demand)).loan_id
    other = loans(lending, "bank-b")
    calls: dict[Reason, Callable[[], object]] = {
        Reason.DEMAND_UNKNOWN: lambda: other.RegisterLoan(loan_pb2.RegisterLoanRequest(demand_id=demand)),
        Reason.LOAN_UNKNOWN: lambda: other.ReportDisbursement(loan_pb2.ReportDisbursementRequest(**report(loan))),
        Reason.FILING_UNKNOWN: lambda: other.ClaimCompensation(loan_pb2.ClaimCompensationRequest(loan_id=loan)),
    }
    for expected, attempt in calls.items():
        with pytest.raises(grpc.RpcError) as caught:
            attempt()
        assert refused(caught) is expected
    assert not other.ListLoans(loan_pb2.ListLoansRequest()).loans
    assert not other.ListFilings(loan_pb2.ListFilingsRequest()).filings


def test_another_enterprise_sees_and_confirms_nothing_of_it(lending: PlatformUnderTest) -> None:
    enterprise, demand = won(lending, 42)
    loan = loans(lending).RegisterLoan(loan_pb2.RegisterLoanRequest(demand_id=demand)).loan_id
    loans(lending).ReportDisbursement(loan_pb2.ReportDisbursementRequest(**report(loan)))
    (entry,) = own(lending, enterprise)
    stranger = lending.enterprise(43)
    assert own(lending, stranger) == []
    assert confirm(lending, stranger, entry)["reason"] == "LOAN_UNKNOWN"
    token = document(enterprise, LoanAction.READ)
    headers = {"Authorization": f"Loan {token}"}
    assert lending.http.get("/v1/loans", headers=headers).status_code == 200
    assert lending.http.get("/v1/loans", headers=headers).json()["reason"] == "NONCE_SPENT"
    assert lending.http.get("/v1/loans").json()["reason"] == "SIGNATURE_INVALID"


@pytest.mark.parametrize(
    "wrong",
    [{"day": "2026-1-1"}, {"day": "2999-01-01"}, {"request_id": ""}, {"loan_id": "x" * 9_000}],
)
def test_what_cannot_be_is_refused(lending: PlatformUnderTest, wrong: dict[str, Any]) -> None:
    _, demand = won(lending, 50 + len(str(wrong)) % 40)
    loan = loans(lending).RegisterLoan(loan_pb2.RegisterLoanRequest(demand_id=demand)).loan_id
    with pytest.raises(grpc.RpcError) as caught:
        loans(lending).ReportDisbursement(loan_pb2.ReportDisbursementRequest(**(report(loan) | wrong)))
    assert refused(caught) in (Reason.DOCUMENT_MALFORMED, Reason.REQUEST_INVALID, Reason.LOAN_UNKNOWN)


def test_the_commands_refuse_what_makes_no_sense(lending: PlatformUnderTest, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("id = 1")
    wrong: dict[tuple[str, ...], type[Exception]] = {
        ("contribute", "pool", "bank", "5", "r"): RequestInvalid,
        ("contribute", "pool", "province", "x", "r"): ValueError,
        ("approve", "0" * 32, "--by", "a"): LoanUnknown,
        ("resume", "pool"): FilingClosed,
        ("publish", str(tmp_path / "none.toml")): OSError,
    }
    for words, error in wrong.items():
        with pytest.raises(error):
            risk(lending, *words)
    done = program(lending, "publish", str(tmp_path / "bad.toml"))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("xyd-server:")


def test_the_dashboard_is_public_and_about_nobody(lending: PlatformUnderTest) -> None:
    answer = lending.http.get("/v1/dashboard")
    body = answer.json()
    assert body["least_enterprises"] == 5
    for cell in body["cells"]:
        assert all(count % 5 == 0 for count in cell["counts"].values())
    assert "91320703" not in answer.text
    page = lending.http.get("/dashboard")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    read = Page(page.text)
    assert read.open == [] and "运行看板" in page.text
    assert [script["src"] for script in read.all("script")] == ["/pages/echarts.js", "/pages/dashboard.js"]
    assert lending.http.get("/dashboard?county=<b>").json()["reason"] == "REQUEST_INVALID"
