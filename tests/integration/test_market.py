"""Demand meets credit through every real part: wallet, platform, enclave, and banks' workers that nobody attends."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median

import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.market import DemandTerms

from bank_sdk import (
    AssessmentResult,
    BankClient,
    BankCredentials,
    Decline,
    DeclineReason,
    Guarantee,
    Handled,
    KeyStore,
    LoanPurpose,
    MarketClient,
    MarketDemand,
    OfferDraft,
    OfferTerms,
    OfferWorker,
    ProductTerms,
    Repayment,
)
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from clients.wallet import Wallet
from clients.wallet.cli import app
from clients.wallet.market import OwnDemand
from tests.support.running import PASSPHRASE, new_wallet

WAN = 1_000_000
DAY = 86_400


def now() -> int:
    return int(time.time())


def product(rate_least_bp: int) -> ProductTerms:
    return ProductTerms(
        name_zh="小微信用贷",
        name_en="SME credit",
        amount_least_fen=WAN,
        amount_most_fen=300 * WAN,
        months_least=3,
        months_most=24,
        rate_least_bp=rate_least_bp,
        rate_most_bp=800,
        repayments=(Repayment.EQUAL_INSTALMENTS,),
        guarantee=Guarantee.CREDIT,
        quota_fen=10_000 * WAN,
        valid_until=now() + 90 * DAY,
    )


def wanted(months: int = 12) -> DemandTerms:
    guarantees = (Guarantee.CREDIT,)
    return DemandTerms(50 * WAN, months, LoanPurpose.WORKING_CAPITAL, guarantees, "320703", "C", 40, 2, now() + 7 * DAY)


def policy(demand: MarketDemand, result: AssessmentResult | None) -> OfferDraft | Decline | None:
    """Waits for an authorization; declines the poor third; the better the score the lower the rate."""
    if result is None:
        return None
    if result.interval.low < 100:
        return Decline(DeclineReason.ASSESSMENT)
    rate = max(400, 800 - result.interval.low // 2)
    return OfferDraft(
        OfferTerms(demand.amount_fen, rate, demand.months, 0, Repayment.EQUAL_INSTALMENTS, now() + 3 * DAY)
    )


@asynccontextmanager
async def connected(city: System, bank: str) -> AsyncIterator[BankClient]:
    folder, anchor = city.deployment.bank(bank), city.deployment.anchor
    credentials = BankCredentials.from_files(
        folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
    )
    store = KeyStore(folder / "keys", PASSPHRASE)
    async with await BankClient.connect(city.grpc_address, credentials, [ENCLAVE_ID], key_store=store) as client:
        yield client


@asynccontextmanager
async def working(
    city: System, bank: str, folder: Path, *, grabs: Callable[[MarketDemand], bool] = lambda _: False
) -> AsyncIterator[list[Handled]]:
    """A worker of `bank` at work."""
    seen: list[Handled] = []
    async with connected(city, bank) as client:
        model = await client.register(expert_scorecard(await client.catalogue()))
        worker = OfferWorker(
            client, model, policy, resume_file=folder / f"{bank}.place", grabs=grabs, observe=seen.append
        )
        task = asyncio.create_task(worker.run())
        try:
            yield seen
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def until(wallet: Wallet, demand: str, done: Callable[[OwnDemand], bool]) -> OwnDemand:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = await asyncio.to_thread(wallet.market.demand, demand)
        if done(found):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"the demand stays {found.state}: {found.candidates}")


def answered(demand: OwnDemand) -> bool:
    return all(c["place"] in ("offered", "declined") for c in demand.candidates)


@pytest.fixture(scope="module")
def enterprises(city: System) -> Iterator[str]:
    codes = parquet.read_table(city.deployment.records / "tax_payment.parquet", columns=["uscc"]).column("uscc")
    return iter([c for c in codes.unique().to_pylist() if check_character_holds(parse_uscc(c))][100:])


@pytest.fixture(scope="module")
def _products(city: System) -> None:
    async def publish() -> None:
        for bank, rate in (("bank-a", 360), ("bank-b", 380)):
            async with connected(city, bank) as client:
                await MarketClient(client).publish("credit", product(rate))

    asyncio.run(publish())


@pytest.fixture
def wallet(city: System, tmp_path: Path, enterprises: Iterator[str], _products: None) -> Iterator[Wallet]:
    made = new_wallet(city, tmp_path / "wallet", next(enterprises))
    yield made
    made.close()


def choose(wallet: Wallet, demand: str, *banks: str) -> OwnDemand:
    return wallet.market.choose(demand, wallet.market.drafts(demand, banks))


async def test_from_demand_to_offers_with_nobody_at_the_banks(
    city: System, tmp_path: Path, wallet: Wallet, enterprises: Iterator[str]
) -> None:
    """The median from demand to first offer, over several enterprises, is far below 5 s."""
    wallets = [wallet, *(new_wallet(city, tmp_path / f"w{i}", next(enterprises)) for i in range(5))]
    spent = []
    async with working(city, "bank-a", tmp_path) as _, working(city, "bank-b", tmp_path) as _:
        for each in wallets:
            started = time.monotonic()
            posted = await asyncio.to_thread(each.market.post, wanted())
            assert {c["bank"] for c in posted.candidates} == {"bank-a", "bank-b"}
            await asyncio.to_thread(choose, each, posted.demand_id, "bank-a", "bank-b")
            done = await until(each, posted.demand_id, lambda d: d.state in ("offered", "declined"))
            spent.append(time.monotonic() - started)
            if done.state == "offered":
                done = await until(each, posted.demand_id, answered)
                assert (await asyncio.to_thread(each.market.accept, done, done.offers[0])).state == "accepted"
    assert median(spent) < 5
    for each in wallets[1:]:
        each.close()


async def test_a_grabbed_demand_waits_for_its_authorization(city: System, tmp_path: Path, wallet: Wallet) -> None:
    async with working(city, "bank-a", tmp_path, grabs=lambda demand: demand.months == 7) as seen:
        other = await asyncio.to_thread(wallet.market.post, wanted(8))
        posted = await asyncio.to_thread(wallet.market.post, wanted(7))
        held = await until(wallet, posted.demand_id, lambda d: d.state == "assigned")
        assert {c["bank"]: c["place"] for c in held.candidates} == {"bank-a": "held", "bank-b": "open"}
        await asyncio.to_thread(choose, wallet, posted.demand_id, "bank-a")
        await until(wallet, posted.demand_id, lambda d: d.candidates[0]["place"] in ("offered", "declined"))
        assert wallet.market.demand(other.demand_id).state == "matching"
    assert next(entry.action for entry in seen if entry.demand.demand_id == posted.demand_id) == "left"


async def test_a_worker_that_died_goes_on_where_it_was_and_offers_once(
    city: System, tmp_path: Path, wallet: Wallet
) -> None:
    posted = wallet.market.post(wanted())
    await asyncio.to_thread(choose, wallet, posted.demand_id, "bank-a")
    async with working(city, "bank-a", tmp_path) as seen:
        await until(wallet, posted.demand_id, lambda d: d.candidates[0]["place"] in ("offered", "declined"))
    assert [h.demand.demand_id for h in seen].count(posted.demand_id) >= 1
    (tmp_path / "bank-a.place").write_text("0")
    async with working(city, "bank-a", tmp_path) as again:
        later = await asyncio.to_thread(wallet.market.post, wanted())
        await asyncio.to_thread(choose, wallet, later.demand_id, "bank-a")
        await until(wallet, later.demand_id, lambda d: d.candidates[0]["place"] in ("offered", "declined"))
    assert all(h.demand.demand_id != posted.demand_id or h.action != "offered" for h in again)
    assert len([o for o in wallet.market.demand(posted.demand_id).offers if o.bank == "bank-a"]) <= 1


def test_the_enterprises_commands(city: System, tmp_path: Path, wallet: Wallet) -> None:
    runner = CliRunner(env={"XYD_WALLET_PASSPHRASE": PASSPHRASE, "XYD_WALLET": str(tmp_path / "wallet")})

    def run(*words: str) -> str:
        done = runner.invoke(app, ["market", *words])
        assert done.exit_code == 0, (done.output, done.exception)
        return done.output

    assert "bank-a:credit" in run("products", "--amount", "50")
    run("post", "50", "12", "--region", "320703", "--industry", "C")
    (posted,) = wallet.market.demands()
    assert "matching" in run("show", posted.demand_id[:8])
    assert "assigned" in run("choose", posted.demand_id, "bank-a", "--yes")
    assert posted.demand_id[:8] in run("list")
    assert "withdrawn" in run("withdraw", posted.demand_id)
