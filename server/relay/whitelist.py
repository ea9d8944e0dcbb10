"""What passes between enterprises, banks and enclaves about the white list."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

import structlog
from xinyidai.identifiers import BankId
from xinyidai.reasons import Reason
from xinyidai.signing import read_header, read_unverified
from xinyidai.statements import parse_access
from xinyidai.v1 import whitelist_pb2
from xinyidai.whitelist.statements import OPT_IN_TYPE, parse_opt_in, parse_opt_out, parse_subscription

from server.audit.models import Kind
from server.audit.service import OK, Event
from server.bell import Bell
from server.db import Database
from server.enclaves import Enclave, Enclaves
from server.errors import PeerMismatch, Refused
from server.relay.journal import Journal
from server.whitelist.errors import ListNotReady
from server.whitelist.service import (
    StoredList,
    arrived,
    due_banks,
    keep_list,
    mark_due,
    newest_list,
    note_opt_in,
    note_subscription,
    take_due,
    waiting_demands,
)

_AT_A_TIME: Final = 100
_LISTS_AT_ONCE: Final = 8
_NOT_LOOKED_AT: Final = (Reason.ENCLAVE_UNAVAILABLE, Reason.OVERLOADED, Reason.INTERNAL)
log = structlog.get_logger("server.whitelist")


class WhiteListRelay:
    """Every method raises `Refused` or `DocumentError`."""

    def __init__(
        self, enclaves: Enclaves, database: Database, journal: Journal, bell: Bell, refresh_seconds: int
    ) -> None:
        self._enclaves = enclaves
        self._database = database
        self._journal = journal
        self._bell = bell
        self._refresh_seconds = refresh_seconds

    # --- Enterprises --------------------------------------------------------------------------------------------------

    async def submit(self, raw: str) -> str:
        """An opt-in or opt-out; the enclave's confirmation. After an opt-out no list made before is handed out, and new
        ones are made before this returns, as far as the enclave answers."""
        claims = read_unverified(raw)
        opts_in = read_header(raw).get("typ") == OPT_IN_TYPE
        untrusted = parse_opt_in(claims) if opts_in else parse_opt_out(claims)
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.WHITE_LIST_STATEMENT, OK, enclave.id, enterprise=untrusted.enterprise)
        request = whitelist_pb2.SubmitWhiteListStatementRequest(statement=raw)
        answer = await self._journal.relay(enclave, enclave.white_list.SubmitWhiteListStatement, request, event)
        await self._journal.passed(
            event, lambda session, now: note_opt_in(session, untrusted.enterprise, enclave.id, opts_in, now)
        )
        if not opts_in:
            await asyncio.shield(self._make_due(enclave))
        return str(answer.confirmation)

    async def disclosures(
        self, raw_access: str, page_size: int, page_token: str
    ) -> whitelist_pb2.GetDisclosuresResponse:
        """What the enclave shows to the holder of the enterprise's key. The token is spent: one page, one token."""
        untrusted = parse_access(read_unverified(raw_access))
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.READ_DISCLOSURES, OK, enclave.id, enterprise=untrusted.enterprise)
        request = whitelist_pb2.GetDisclosuresRequest(access=raw_access, page_size=page_size, page_token=page_token)
        answer: whitelist_pb2.GetDisclosuresResponse = await self._journal.relay(
            enclave, enclave.white_list.GetDisclosures, request, event
        )
        await self._journal.passed(event)
        return answer

    # --- Banks --------------------------------------------------------------------------------------------------------

    async def subscribe(self, bank: BankId, raw: str, remaining: float | None) -> whitelist_pb2.SubscribeResponse:
        untrusted = parse_subscription(read_unverified(raw))
        if untrusted.stamp.issuer != bank:
            raise PeerMismatch("the document's issuer is not the bank of this connection")
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(Kind.SUBSCRIBE_WHITE_LIST, OK, enclave.id, bank=bank)
        request = whitelist_pb2.SubscribeRequest(subscription=raw)
        method = enclave.white_list.SubscribeWhiteList
        answer: whitelist_pb2.SubscribeResponse = await self._journal.relay(enclave, method, request, event, remaining)
        subscribed = untrusted.reader is not None
        await self._journal.passed(event, lambda session, _: note_subscription(session, bank, enclave.id, subscribed))
        return answer

    async def newest(self, bank: BankId) -> StoredList:
        return await self._database.read(newest_list, bank, self._journal.clock())

    async def lists(self, bank: BankId, above: int) -> AsyncGenerator[StoredList, None]:
        """The newest list above version `above`, and later ones, until the process stops. Raises `NotSubscribed`."""
        while not self._bell.ended:
            try:
                found = await self.newest(bank)
            except ListNotReady:
                found = None
            if found is not None and found.version > above:
                above = found.version
                yield found
            else:
                await self._bell.wait()

    # --- The clock ----------------------------------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Carry what enterprises signed, and have the lists made that are due."""
        for enclave in self._enclaves.each():
            try:
                await self._carry(enclave)
                await self._make_due(enclave)
            except Refused as error:
                log.warning("the white list waits", enclave=enclave.id, reason=str(error.reason))

    async def _carry(self, enclave: Enclave) -> None:
        """In the order in which they were signed. What the enclave refuses with a reason goes; what it could not look
        at stays, and so does what came after it."""
        for waiting in await self._database.read(waiting_demands, enclave.id, _AT_A_TIME):
            try:
                request = whitelist_pb2.SubmitDemandRequest(demand=waiting.document)
                await enclave.call(enclave.white_list.SubmitDemand, request)
            except Refused as error:
                if error.reason in _NOT_LOOKED_AT:
                    raise
                log.info("the enclave does not take a demand", enclave=enclave.id, reason=str(error.reason))
            await self._database.change("demand carried", arrived, enclave.id, waiting.number or 0)

    async def _make_due(self, enclave: Enclave) -> None:
        before = self._journal.clock() - self._refresh_seconds
        places = asyncio.Semaphore(_LISTS_AT_ONCE)

        async def make(bank: str) -> None:
            async with places:
                await self._make(enclave, bank)

        await asyncio.gather(*(make(bank) for bank in await self._database.read(due_banks, enclave.id, before)))

    async def _make(self, enclave: Enclave, bank: str) -> None:
        """One bank's list; one that fails keeps no other bank from its own."""
        await self._database.change("white list under way", take_due, bank, enclave.id)
        try:
            request = whitelist_pb2.MakeWhiteListRequest(bank_id=bank)
            answer = await enclave.call(enclave.white_list.MakeWhiteList, request)
        except Refused as error:
            # The next turn tries again.
            await self._database.change("white list waits", mark_due, enclave.id, bank)
            log.warning("no white list", enclave=enclave.id, bank=bank, reason=str(error.reason))
            return
        made = StoredList(answer.version, tuple(answer.parts), answer.made_at, answer.expires_at)
        await self._database.change("white list made", keep_list, bank, enclave.id, made)
        self._bell.ring()
