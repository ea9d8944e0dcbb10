"""A bank's clerk that never sleeps: watches the market, assesses, applies the bank's policy, answers with an offer."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from xinyidai.files import write_whole
from xinyidai.market import DeclineReason, OfferTerms

from bank_sdk.client import BankClient
from bank_sdk.errors import (
    AuthorizationRefused,
    BudgetExhausted,
    InputError,
    MarketRefused,
    RequestRefused,
    Unavailable,
    VerificationError,
)
from bank_sdk.market import MarketClient, MarketDemand
from bank_sdk.results import AssessmentResult, RegisteredModel

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LONGEST_TOKEN: Final = 64


@dataclass(frozen=True, slots=True)
class Decline:
    reason: DeclineReason


@dataclass(frozen=True, slots=True)
class OfferDraft:
    terms: OfferTerms
    product_id: str | None = None
    """None: the product the demand was matched with."""


Verdict = OfferDraft | Decline | None
Policy = Callable[[MarketDemand, AssessmentResult | None], Verdict]
"""The bank's rules, from a demand and the enterprise's score. The score is None as long as the enterprise has not
authorized this bank for this demand. None leaves the demand as it is, until an authorization or the end of its time."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of one notice, for the bank's own records."""

    demand: MarketDemand
    action: str
    """offered, declined, left, or refused: somebody else was faster, the demand has moved on, or the terms are not
    acceptable."""
    offer_id: str = ""
    detail: str = ""


def never(_: MarketDemand) -> bool:
    """Grab nothing; work on what enterprises choose this bank for, and on what the platform assigns."""
    return False


class OfferWorker:
    """Unattended: it reconnects, and after a crash begins behind the last notice it had finished.

    A notice may be handled twice, an offer is made once: its key is the demand and its version, and the service keeps
    the first. The same question is not charged twice either.
    """

    def __init__(
        self,
        client: BankClient,
        model: RegisteredModel | str,
        policy: Policy,
        *,
        resume_file: str | Path,
        grabs: Callable[[MarketDemand], bool] = never,
        observe: Callable[[Handled], None] = lambda _: None,
    ) -> None:
        """`resume_file` holds the place in the stream; a bank runs one worker at a time.

        `grabs`: which demands to take without being asked. `observe` hears what became of each notice.
        """
        self._client = client
        self._market = MarketClient(client)
        self._model = model
        self._policy = policy
        self._resume_file = Path(resume_file)
        self._grabs = grabs
        self._observe = observe

    async def run(self) -> None:
        """Until cancelled. Raises what no repeating mends: `VerificationError`, `AccountRefused`, and the policy's own.

        Cancelling is safe at any moment.
        """
        token, pause = self._read_token(), _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with aclosing(self._market.stream(token)) as notices:
                    async for notice in notices:
                        await self._handle(notice.demand)
                        token, pause = notice.resume_token, _FIRST_PAUSE_SECONDS
                        await asyncio.to_thread(write_whole, self._resume_file, token.encode())
            except Unavailable as error:
                pause = max(pause, error.retry_after or 0.0)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _handle(self, demand: MarketDemand) -> None:
        try:
            if demand.place == "open" and self._grabs(demand):
                demand = await self._market.grab(demand.demand_id)
            if demand.place == "held":
                self._observe(await self._answer(demand))
        except (MarketRefused, RequestRefused) as error:
            # Terms the service does not take would be refused again; the bank hears of it, the worker goes on.
            self._observe(Handled(demand, "refused", detail=str(error)))

    async def _answer(self, demand: MarketDemand) -> Handled:
        verdict = self._policy(demand, await self._assess(demand))
        if verdict is None:
            return Handled(demand, "left")
        if isinstance(verdict, Decline):
            await self._market.decline(demand.demand_id, verdict.reason)
            return Handled(demand, "declined", detail=str(verdict.reason))
        key = f"{demand.demand_id}:{demand.version}"
        offer = await self._market.offer(demand, verdict.terms, product_id=verdict.product_id, idempotency_key=key)
        return Handled(demand, "offered", offer.offer_id)

    async def _assess(self, demand: MarketDemand) -> AssessmentResult | None:
        """None without an authorization that can be used. Raises `VerificationError` for one of something else."""
        if not demand.authorization:
            return None
        listed = await self._client.authorizations(demand.enterprise)
        grant = next((grant for grant in listed if grant.digest == demand.authorization), None)
        if grant is None:
            return None
        if (grant.terms.enterprise, grant.terms.demand) != (demand.enterprise, demand.demand_id):
            raise VerificationError("the service named an authorization of another enterprise or demand")
        try:
            return await self._client.assess(grant, self._model)
        except (AuthorizationRefused, BudgetExhausted):
            return None

    def _read_token(self) -> str:
        try:
            token = self._resume_file.read_text()
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            raise InputError(f"{self._resume_file.name} cannot be read: {error}") from error
        if len(token) > _LONGEST_TOKEN:
            raise InputError(f"{self._resume_file.name} holds something else than a place in the stream")
        return token
