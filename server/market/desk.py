"""The market as the edges use it: documents verified, changes with their line in the audit, waiting readers woken."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final, TypeVar

from sqlmodel import Session
from xinyidai.demands import DEMAND_TYPE, DemandAction, DemandDocument, demand_id, parse_demand_document
from xinyidai.identifiers import BankId
from xinyidai.market import DeclineReason, ProductTerms

from server.audit.changes import change_audited
from server.audit.models import Kind
from server.audit.service import OK, Event
from server.db import Database
from server.market import demands, offers, products
from server.market.door import EnterpriseDoor, Verified, spend
from server.market.errors import MarketRefused
from server.market.limits import check_products, hold_party
from server.market.matching import Listed, Wanted, unmet_criteria
from server.market.models import Demand, Offer, Place, Product
from server.market.rules import MarketRules
from server.market.sweep import sweep
from server.market.views import (
    BankView,
    EnterpriseView,
    NoticeView,
    bank_view,
    bank_views,
    enterprise_view,
    enterprise_views,
    news_views,
)
from server.paging import Page, Position
from server.whitelist.service import carry_demand

_NEWS: Final = 100
_WAIT_SECONDS: Final = 1.0
"""A stream looks again after this long even if this process changed nothing: another one may have."""
Done = TypeVar("Done")


class MarketDesk:
    """Every method raises `Refused` or `DocumentError`."""

    def __init__(
        self,
        database: Database,
        door: EnterpriseDoor,
        rules: MarketRules,
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._door = door
        self._rules = rules
        self._clock = clock
        self._changed = asyncio.Event()
        self._ending = False

    # --- Enterprises --------------------------------------------------------------------------------------------------

    async def act(self, raw: str) -> EnterpriseView:
        """Carry out what an enterprise signed, once; the demand as it then stands."""
        verified = self._verify(raw)
        document, now = verified.document, self._clock()
        if document.action is DemandAction.READ:
            raise MarketRefused("a document that reads goes into the header of a reading request")

        def work(session: Session) -> EnterpriseView:
            spend(session, verified)
            demand = self._carry_out(session, verified, now)
            carry_demand(session, document.enterprise, document.action, raw)
            return enterprise_view(session, document.enterprise, demand.demand_id)

        event = Event(_ACTIONS[document.action], OK, enterprise=document.enterprise)
        return await self._change(event, work)

    async def read(self, raw: str, wanted: str | None = None) -> list[EnterpriseView]:
        """The enterprise's own demands, newest first, or the one `wanted`. The document is spent."""
        verified = self._verify(raw)
        document = verified.document
        if document.action is not DemandAction.READ or document.demand not in (None, wanted):
            raise MarketRefused("reading takes a document with the action read, for these demands")

        def work(session: Session) -> list[EnterpriseView]:
            spend(session, verified)
            if wanted is not None:
                return [enterprise_view(session, document.enterprise, wanted)]
            return enterprise_views(session, document.enterprise)

        return await self._change(Event(Kind.READ_DEMANDS, OK, enterprise=document.enterprise), work)

    async def search(self, wanted: Wanted) -> list[Listed]:
        """Products that can be had today and meet what was asked, cheapest first."""
        found = [p for p in await self._database.read(products.open_products, self._clock())
                 if not unmet_criteria(p.terms, wanted)]  # fmt: skip
        return sorted(found, key=lambda p: (p.terms.rate_least_bp, p.terms.rate_most_bp, p.product_id))

    # --- Banks --------------------------------------------------------------------------------------------------------

    async def publish(self, bank: BankId, code: str, replaces: int, terms: ProductTerms) -> Product:
        now = self._clock()
        event = Event(Kind.PUBLISH_PRODUCT, OK, bank=bank)

        def work(session: Session) -> Product:
            hold_party(session, bank)
            product = products.publish_product(session, bank, code, replaces, terms, now)
            check_products(session, bank, self._rules.open_products)
            return product

        return await self._change(event, work)

    async def withdraw_product(self, bank: BankId, product_id: str) -> Product:
        now = self._clock()
        event = Event(Kind.WITHDRAW_PRODUCT, OK, bank=bank)
        return await self._change(event, lambda session: products.withdraw_product(session, bank, product_id, now))

    async def products(self, bank: BankId) -> list[Product]:
        return await self._database.read(products.list_products, bank)

    async def demands(
        self, bank: BankId, places: Sequence[Place], page: Page
    ) -> tuple[list[BankView], Position | None]:
        return await self._database.read(bank_views, bank, places, page)

    async def news(self, bank: BankId, after: int) -> AsyncGenerator[NoticeView, None]:
        """What concerns the bank, behind notice number `after`, until `end_streams`."""
        while not self._ending:
            changed = self._changed
            batch = await self._database.read(news_views, bank, after, _NEWS)
            for entry in batch:
                yield entry
                after = entry.number
            if not batch:
                try:
                    await asyncio.wait_for(changed.wait(), _WAIT_SECONDS)
                except TimeoutError:
                    continue

    async def grab(self, bank: BankId, demand: str) -> BankView:
        now = self._clock()

        def work(session: Session) -> BankView:
            offers.grab(session, bank, demand, self._rules, now)
            return bank_view(session, bank, demand)

        return await self._change(Event(Kind.GRAB_DEMAND, OK, bank=bank), work)

    async def decline(self, bank: BankId, demand: str, reason: DeclineReason) -> BankView:
        now = self._clock()

        def work(session: Session) -> BankView:
            offers.decline(session, bank, demand, reason, now)
            return bank_view(session, bank, demand)

        return await self._change(Event(Kind.DECLINE_DEMAND, OK, bank=bank), work)

    async def offer(self, bank: BankId, draft: offers.Draft) -> Offer:
        now = self._clock()
        event = Event(Kind.MAKE_OFFER, OK, bank=bank)
        return await self._change(event, lambda session: offers.make_offer(session, bank, draft, now))

    async def withdraw_offer(self, bank: BankId, offer: str) -> Offer:
        now = self._clock()
        event = Event(Kind.WITHDRAW_OFFER, OK, bank=bank)
        return await self._change(event, lambda session: offers.withdraw_offer(session, bank, offer, now))

    async def fulfil(self, bank: BankId, demand: str) -> BankView:
        now = self._clock()

        def work(session: Session) -> BankView:
            offers.fulfil(session, bank, demand, now)
            return bank_view(session, bank, demand)

        return await self._change(Event(Kind.FULFIL_DEMAND, OK, bank=bank), work)

    # --- The clock ----------------------------------------------------------------------------------------------------

    async def sweep(self) -> int:
        """What is due now; see `server.market.sweep`."""
        done = await asyncio.to_thread(sweep, self._database, self._rules, self._clock())
        if done:
            self._wake()
        return done

    def end_streams(self) -> None:
        """The process stops: readers of news come back to another one, or to this one's successor."""
        self._ending = True
        self._wake()

    # --- Inside -------------------------------------------------------------------------------------------------------

    def _verify(self, raw: str) -> Verified[DemandDocument]:
        return self._door.verify(raw, DEMAND_TYPE, parse_demand_document, self._clock())

    def _carry_out(self, session: Session, verified: Verified[DemandDocument], now: int) -> Demand:
        raw, document = verified.raw, verified.document
        if document.action is DemandAction.POST:
            return demands.post_demand(session, demand_id(raw), raw, document, self._rules, now)
        if document.action is DemandAction.CHANGE:
            return demands.change_demand(session, raw, document, self._rules, now)
        if document.action is DemandAction.CHOOSE:
            return demands.choose_banks(session, document, self._rules, now)
        if document.action is DemandAction.ACCEPT:
            return offers.accept_offer(session, document, now)
        return demands.withdraw_demand(session, document, now)

    async def _change(self, event: Event, work: Callable[[Session], Done]) -> Done:
        """One transaction with its line in the audit; a refusal gets its line too."""

        done = await change_audited(self._database, self._clock, event, work)
        self._wake()
        return done

    def _wake(self) -> None:
        """Everyone who waits now; who comes later waits for the next change."""
        self._changed.set()
        self._changed = asyncio.Event()


_ACTIONS: Final = {
    DemandAction.POST: Kind.POST_DEMAND,
    DemandAction.CHANGE: Kind.CHANGE_DEMAND,
    DemandAction.WITHDRAW: Kind.WITHDRAW_DEMAND,
    DemandAction.CHOOSE: Kind.CHOOSE_BANKS,
    DemandAction.ACCEPT: Kind.ACCEPT_OFFER,
}
