"""bank-a on the market: a product, a worker that nobody attends, and what it reports of loans. On a thread of its own:
the browser's driver keeps this one's event loop running."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from datetime import date
from pathlib import Path
from threading import Thread
from typing import TypeVar

from bank_sdk import (
    AssessmentResult,
    BankClient,
    BankCredentials,
    Guarantee,
    KeyStore,
    LoanClient,
    MarketClient,
    MarketDemand,
    OfferDraft,
    OfferTerms,
    OfferWorker,
    ProductTerms,
    Repayment,
    WhiteListClient,
)
from clients.demo.scorecard import expert_scorecard
from clients.dev.deployment import ENCLAVE_ID
from clients.dev.system import System
from tests.support.running import PASSPHRASE

T = TypeVar("T")
WAN = 1_000_000
DAY = 86_400
_PATIENCE_SECONDS = 60


def _product() -> ProductTerms:
    return ProductTerms(
        name_zh="小微信用贷", name_en="SME credit", amount_least_fen=WAN, amount_most_fen=300 * WAN, months_least=3,
        months_most=24, rate_least_bp=360, rate_most_bp=800, repayments=(Repayment.EQUAL_INSTALMENTS,),
        guarantee=Guarantee.CREDIT, quota_fen=10_000 * WAN, valid_until=int(time.time()) + 90 * DAY,
    )  # fmt: skip


def _policy(demand: MarketDemand, result: AssessmentResult | None) -> OfferDraft | None:
    """An offer to everyone it may assess; until then it waits."""
    if result is None:
        return None
    until = int(time.time()) + 3 * DAY
    return OfferDraft(OfferTerms(demand.amount_fen, 420, demand.months, 50_000, Repayment.EQUAL_INSTALMENTS, until))


class Lender:
    """At work from when it is made until `close`."""

    def __init__(self, system: System, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever)
        self._thread.start()
        self._client = self._do(self._connect(system))
        self._worker = self._do(self._begin(folder))

    def _do(self, work: Awaitable[T]) -> T:
        async def done() -> T:
            return await work

        running: Future[T] = asyncio.run_coroutine_threadsafe(done(), self._loop)
        return running.result(_PATIENCE_SECONDS)

    async def _connect(self, system: System) -> BankClient:
        folder, anchor = system.deployment.bank("bank-a"), system.deployment.anchor
        credentials = BankCredentials.from_files(
            folder / "bank.pem", folder / "bank.key", anchor("platform"), enclave_ca=anchor("enclave")
        )
        store = KeyStore(folder / "keys", PASSPHRASE)
        return await BankClient.connect(system.grpc_address, credentials, [ENCLAVE_ID], key_store=store)

    async def _begin(self, folder: Path) -> "asyncio.Task[None]":
        client = self._client
        await MarketClient(client).publish("credit", _product())
        await WhiteListClient(client).subscribe()
        model = await client.register(expert_scorecard(await client.catalogue()))
        worker = OfferWorker(client, model, _policy, resume_file=folder / "place")
        return asyncio.create_task(worker.run())

    def pay_out(self, demand: str, day: date) -> str:
        """Register and pay out the loan of an accepted demand, and report a first repayment. Its id."""

        async def work(client: LoanClient) -> str:
            loan = await client.register(demand)
            await client.disburse(loan.loan_id, day)
            await client.repay(loan.loan_id, day, principal_fen=WAN, interest_fen=1_000)
            return loan.loan_id

        return self.with_loans(work)

    def with_loans(self, work: Callable[[LoanClient], Awaitable[T]]) -> T:
        return self._do(work(LoanClient(self._client)))

    def white_list(self) -> set[str]:
        """Enterprises on the list of now."""

        async def read() -> set[str]:
            return {member.enterprise for member in (await WhiteListClient(self._client).white_list()).members}

        return self._do(read())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._worker.cancel)
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await asyncio.wait([self._worker])
        await self._client.__aexit__(None, None, None)
