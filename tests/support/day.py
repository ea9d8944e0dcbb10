"""A scripted day on the market of a running city: banks' workers as programs of their own, enterprises by their
wallets, and what became of every demand counted past the platform's code, in plain SQL."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow.parquet as parquet
from xinyidai.identifiers import check_character_holds, parse_uscc
from xinyidai.loans import city_date
from xinyidai.market import DemandState, DemandTerms

from bank_sdk import (
    BankClient,
    BankCredentials,
    Guarantee,
    KeyStore,
    LoanClient,
    LoanPurpose,
    MarketClient,
    ProductTerms,
    Repayment,
    Scorecard,
)
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from clients.wallet import Wallet
from clients.wallet.market import OwnDemand
from tests.support.planting import BASE_POINTS, CARD, database_of
from tests.support.running import PASSPHRASE, bank_client, new_wallet

WAN: Final = 1_000_000
DAY: Final = 86_400
_WALLETS: Final = 4
_PATIENCE_SECONDS: Final = 120.0
_POLICY: Final = f"""
[[grade]]
label = "A"
from = {BASE_POINTS + 150}
action = "approve"
rate_bp = 420

[[grade]]
label = "B"
from = {BASE_POINTS + 100}
action = "approve"
rate_bp = 560

[[grade]]
label = "C"
action = "decline"
"""
_DEFINED: Final = {str(state) for state in DemandState}


def planted_card(catalogue: Any) -> Scorecard:
    return replace(expert_scorecard(catalogue, CARD), base_points=BASE_POINTS)


@dataclass(frozen=True, slots=True)
class Outcome:
    demand: str
    state: str
    seconds_to_offer: float | None


class Day:
    """`run` once. Enterprises are of the city; each demand follows one of ten scripts by its number."""

    def __init__(self, system: System, folder: Path, banks: Sequence[str], enterprises: int, demands: int) -> None:
        self._system = system
        self._folder = folder
        self._banks = tuple(banks)
        self._enterprises = enterprises
        self._demands = demands
        self.outcomes: list[Outcome] = []

    def run(self) -> None:
        models = {bank: self._open_bank(bank) for bank in self._banks}
        with self._workers(models), ThreadPoolExecutor(_WALLETS) as threads:
            wallets = list(threads.map(self._wallet, self._codes()))
            # One demand of an enterprise at a time: a wallet is not for several threads at once.
            per_wallet = [range(first, self._demands, self._enterprises) for first in range(len(wallets))]
            for done in threads.map(self._demands_of, wallets, per_wallet):
                self.outcomes += done
            asyncio.run(self._pay_out())
            list(threads.map(_confirm_all, wallets))
            asyncio.run(self._repay())
            self._await_expiry()
        for wallet in wallets:
            wallet.close()

    def wallet_of(self, enterprise: str) -> Path:
        """Its folder."""
        return self._folder / enterprise

    def seconds_to_first_offer(self) -> float:
        """The median, over the demands that got one."""
        return median(o.seconds_to_offer for o in self.outcomes if o.seconds_to_offer is not None)

    # --- Banks --------------------------------------------------------------------------------------------------------

    def _open_bank(self, bank: str) -> str:
        """Register the model and the product; the model's id."""
        with bank_client(self._system, bank) as client:
            model = client.register(planted_card(client.catalogue()))
        asyncio.run(self._publish(bank))
        folder, anchor = self._system.deployment.bank(bank), self._system.deployment.anchor
        (folder / "policy.toml").write_text(_POLICY)
        profile = {
            "address": self._system.grpc_address, "certificate": folder / "bank.pem", "key": folder / "bank.key",
            "service_ca": anchor("platform"), "enclave_ca": anchor("enclave"), "key_store": folder / "keys",
            "policy": folder / "policy.toml",
        }  # fmt: skip
        lines = [f'{name} = "{value}"' for name, value in profile.items()] + [f'enclaves = ["{ENCLAVE_ID}"]']
        (folder / "xyd-bank.toml").write_text("\n".join(lines))
        return model.model_id

    async def _publish(self, bank: str) -> None:
        terms = ProductTerms(
            name_zh="小微信用贷", name_en="SME credit", amount_least_fen=WAN, amount_most_fen=300 * WAN, months_least=3,
            months_most=24, rate_least_bp=360, rate_most_bp=800, repayments=(Repayment.EQUAL_INSTALMENTS,),
            guarantee=Guarantee.CREDIT, quota_fen=100_000 * WAN, valid_until=int(time.time()) + 90 * DAY,
        )  # fmt: skip
        async with await self._connect(bank) as client:
            await MarketClient(client).publish("day", terms)

    async def _connect(self, bank: str) -> BankClient:
        folder, anchor = self._system.deployment.bank(bank), self._system.deployment.anchor
        credentials = BankCredentials.from_files(
            folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
        )
        store = KeyStore(folder / "keys", PASSPHRASE)
        return await BankClient.connect(
            self._system.grpc_address, credentials, [ENCLAVE_ID], key_store=store, timeout=30
        )

    @contextmanager
    def _workers(self, models: dict[str, str]) -> Iterator[None]:
        """`xyd-bank work` for each bank, as its own process."""
        environment = {**os.environ, "XYD_BANK_PASSPHRASE": PASSPHRASE}
        started = []
        for bank, model in models.items():
            folder = self._system.deployment.bank(bank)
            line = [
                sys.executable,
                "-m",
                "bank_sdk",
                "work",
                "--profile",
                str(folder / "xyd-bank.toml"),
                "--model",
                model,
            ]
            line += ["--resume-file", str(folder / "worker.place")]
            with (folder / "worker.log").open("ab") as log:
                started.append(
                    subprocess.Popen(line, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
                )
        try:
            yield
            assert all(worker.poll() is None for worker in started), "a worker ended by itself"
        finally:
            for worker in started:
                worker.terminate()
                worker.wait(10)

    async def _pay_out(self) -> None:
        """Each bank registers what it won and pays out nine of ten."""
        today = city_date(int(time.time()))
        for bank in self._banks:
            async with await self._connect(bank) as client:
                lender = LoanClient(client)
                won = [demand for demand in await MarketClient(client).demands(["won"]) if demand.state == "accepted"]
                for number, demand in enumerate(won):
                    loan = await lender.register(demand.demand_id, first_loan=number % 3 == 0)
                    if number % 10 != 9:
                        await lender.disburse(loan.loan_id, today)

    async def _repay(self) -> None:
        """A third of the loans is repaid at once, another third in part."""
        today = city_date(int(time.time()))
        for bank in self._banks:
            async with await self._connect(bank) as client:
                lender = LoanClient(client)
                for number, loan in enumerate(await lender.loans(["disbursed"])):
                    if number % 3 < 2:
                        paid = loan.amount_fen // (1 + number % 3)
                        await lender.repay(loan.loan_id, today, principal_fen=paid, interest_fen=100)

    def _await_expiry(self) -> None:
        """Until the market's clock has ended what nobody wanted in time."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        open_ones = "SELECT count(*) FROM market_demand WHERE expires_at < ? AND ended_at IS NULL"
        while time.monotonic() < deadline:
            with database_of(self._system) as connection:
                if not connection.execute(open_ones, (int(time.time()) + DAY,)).fetchone()[0]:
                    return
            time.sleep(0.2)
        raise AssertionError("a demand outlives its end")

    # --- Enterprises --------------------------------------------------------------------------------------------------

    def _codes(self) -> list[str]:
        path = self._system.deployment.records / "tax_payment.parquet"
        codes = parquet.read_table(path, columns=["uscc"]).column("uscc").unique().to_pylist()
        return [code for code in codes if check_character_holds(parse_uscc(code))][: self._enterprises]

    def _wallet(self, code: str) -> Wallet:
        return new_wallet(self._system, self.wallet_of(code), code)

    def _demands_of(self, wallet: Wallet, numbers: Sequence[int]) -> list[Outcome]:
        return [self._demand(wallet, number) for number in numbers]

    def _demand(self, wallet: Wallet, number: int) -> Outcome:
        """0 to 6: choose banks, take the best offer. 7: choose, then withdraw. 8: nobody lends so much. 9: expires."""
        script = number % 10
        amount = 9_000 * WAN if script == 8 else (10 + number % 50) * WAN
        expires = int(time.time()) + (5 if script == 9 else 7 * DAY)
        started = time.monotonic()
        region, purpose = wallet.enterprise[2:8], LoanPurpose.WORKING_CAPITAL
        terms = DemandTerms(amount, 6 + number % 12, purpose, (Guarantee.CREDIT,), region, "C", 40, 2, expires)
        posted = wallet.market.post(terms)
        if script in (8, 9):
            return Outcome(posted.demand_id, posted.state, None)
        chosen = [self._banks[(number + step) % len(self._banks)] for step in range(2)]
        wallet.market.choose(posted.demand_id, wallet.market.drafts(posted.demand_id, chosen))
        answered = _until(wallet, posted.demand_id, lambda d: d.state in ("offered", "declined"))
        seconds = time.monotonic() - started if answered.state == "offered" else None
        if script == 7:
            return Outcome(posted.demand_id, wallet.market.withdraw(posted.demand_id).state, seconds)
        done = _until(wallet, posted.demand_id, _all_answered)
        if done.state != "offered":
            return Outcome(posted.demand_id, done.state, seconds)
        return Outcome(posted.demand_id, wallet.market.accept(done, done.offers[0]).state, seconds)


def _all_answered(demand: OwnDemand) -> bool:
    return all(c["place"] in ("offered", "declined") for c in demand.candidates if c["authorized"])


def _until(wallet: Wallet, demand: str, done: Any) -> OwnDemand:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = wallet.market.demand(demand)
        if done(found):
            return found
        time.sleep(0.2)
    raise AssertionError(f"the demand stays {found.state}: {found.candidates}")


def _confirm_all(wallet: Wallet) -> None:
    for loan in wallet.loans.list():
        if loan.facts is not None:
            assert wallet.loans.confirm(loan).confirmed


# --- Counting past the platform's code --------------------------------------------------------------------------------


def states_of(system: System) -> Counter[str]:
    """Of every demand; all of them defined ones."""
    with database_of(system) as connection:
        found: Counter[str] = Counter(
            dict(connection.execute("SELECT state, count(*) FROM market_demand GROUP BY state"))
        )
    assert set(found) <= _DEFINED
    return found


_COUNTED: Final = {
    "firms": "SELECT uscc, registered_at AS at FROM enterprise",
    "demands": "SELECT enterprise AS uscc, posted_at AS at FROM market_demand",
    "picked": "SELECT enterprise AS uscc, posted_at AS at FROM market_demand WHERE first_taken_at IS NOT NULL",
    "credited": (
        "SELECT enterprise AS uscc, posted_at AS at FROM market_demand WHERE state IN ('accepted', 'fulfilled')"
    ),
    "loans": "SELECT enterprise AS uscc, {paid} AS at FROM loan WHERE disbursed_on IS NOT NULL",
    "first_loans": "SELECT enterprise AS uscc, {paid} AS at FROM loan WHERE disbursed_on IS NOT NULL AND first_loan",
    "credit_loans": (
        "SELECT enterprise AS uscc, {paid} AS at FROM loan WHERE disbursed_on IS NOT NULL AND guarantee = 'credit'"
    ),
    "overdue_loans": (
        "SELECT enterprise AS uscc, {paid} AS at FROM loan "
        "WHERE state IN ('overdue', 'bad', 'compensated', 'written_off')"
    ),
    "queries": "SELECT enterprise AS uscc, at FROM audit_event WHERE kind = 'assess' AND outcome = 'OK'",
    "authorizations": "SELECT enterprise AS uscc, submitted_at AS at FROM authorization_copy",
    "revoked": "SELECT enterprise AS uscc, submitted_at AS at FROM authorization_copy WHERE state = 'revoked'",
}
_PAID: Final = "CAST(strftime('%s', disbursed_on) AS INTEGER)"
_BY: Final = (
    "SELECT {group}, count(*), count(DISTINCT uscc) FROM ({rows}) GROUP BY 1, 2 HAVING count(DISTINCT uscc) >= 5"
)
_MONTH: Final = "CAST(strftime('%Y%m', at + 28800, 'unixepoch') AS INTEGER)"
_GROUPS: Final = ("'', 0", f"'', {_MONTH}", "substr(uscc, 3, 6), 0", f"substr(uscc, 3, 6), {_MONTH}")


def expected_counts(system: System) -> dict[tuple[str, int], dict[str, int]]:
    """(county, month) to figure to what the dashboard should say, by the rules it publishes."""
    found: dict[tuple[str, int], dict[str, int]] = {}
    with database_of(system) as connection:
        for figure, rows in _COUNTED.items():
            for group in _GROUPS:
                query = _BY.format(group=group, rows=rows.format(paid=_PAID))
                for county, month, count, _ in connection.execute(query):
                    found.setdefault((county, month), {})[figure] = 5 * int(count / 5 + 0.5)
    return found


def expected_averages(system: System) -> tuple[float, float, int]:
    """Median and mean days to credit, and the mean rate in basis points, over everything."""
    query = (
        "SELECT (d.accepted_at - d.posted_at) / 3600, o.annual_rate_bp FROM market_demand d "
        "JOIN market_offer o ON o.offer_id = d.accepted_offer WHERE d.state IN ('accepted', 'fulfilled')"
    )
    with database_of(system) as connection:
        hours, rates = zip(*connection.execute(query), strict=True)
    mean = round(sum(rates) / len(rates))
    return round(median(hours) / 24, 1), round(sum(hours) / len(hours) / 24, 1), 10 * int(mean / 10 + 0.5)


def report(day: Day, system: System) -> str:
    states = ", ".join(f"{state} {count}" for state, count in sorted(states_of(system).items()))
    seconds = day.seconds_to_first_offer()
    return f"{len(day.outcomes)} demands: {states}; first offer after {seconds:.2f} s (median)"
