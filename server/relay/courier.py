"""Fetches from the enclaves what they signed for banks, pushes it to the banks' addresses, and keeps trying.

At least once and in order, for each bank and enclave: the next event goes out when the one before was taken. Several
processes may do this at once; an event is claimed by one of them in the database.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx
import structlog
from xinyidai.v1 import consent_pb2

from server.db import Database
from server.enclaves import Enclave, Enclaves
from server.errors import Refused
from server.events import service as events
from server.events.service import Parcel, Pulled
from server.objections import service as objections
from server.settings import ServerSettings

_PAGE: Final = 500
_POST_SECONDS: Final = 5.0
_MEDIA_TYPE: Final = "application/jwt"
log = structlog.get_logger("server.courier")
_PROGRESS: Final = (
    "objection_id", "enterprise", "state", "opened_at", "transferred_at", "decide_by", "cap_at", "decided_at", "change",
)  # fmt: skip


def build_http(settings: ServerSettings) -> httpx.AsyncClient:
    """For the banks' addresses: their certificates must be vouched for by `events_ca`, or by whom the system trusts;
    the platform shows its own. Nothing is followed elsewhere, and no proxy of the environment is used."""
    context = ssl.create_default_context(cafile=str(settings.events_ca) if settings.events_ca else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    return httpx.AsyncClient(verify=context, timeout=_POST_SECONDS, follow_redirects=False, trust_env=False)


class Courier:
    """A task on the event loop it was started on, and one for each bank that something is being delivered to."""

    def __init__(
        self,
        enclaves: Enclaves,
        database: Database,
        http: httpx.AsyncClient,
        clock: Callable[[], int],
        every_seconds: float,
    ) -> None:
        self._enclaves, self._database, self._http, self._clock = enclaves, database, http, clock
        self._every_seconds = every_seconds
        self._task: asyncio.Task[None] | None = None
        self._rounds: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """What is on its way is broken off; it goes out again later."""
        tasks = [task for task in (self._task, *self._rounds.values()) if task is not None]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._http.aclose()

    async def _run(self) -> None:
        while True:
            await self.turn()
            await asyncio.sleep(self._every_seconds)

    async def turn(self) -> None:
        """Fetch what is new, and send somebody off to every bank that something is due for."""
        for enclave in self._enclaves:
            try:
                await self._pull_events(enclave)
                await self._pull_objections(enclave)
            except Refused as error:
                log.warning("nothing fetched", enclave=enclave.id, reason=str(error.reason))
            except RuntimeError as error:
                # The database failed, or is closing; at the next turn it may be back.
                log.error("nothing fetched", enclave=enclave.id, error=str(error))
        try:
            due = await self._database.read(events.banks_due, self._clock())
        except RuntimeError as error:
            log.error("nothing delivered", error=str(error))
            return
        self._rounds = {bank: task for bank, task in self._rounds.items() if not task.done()}
        for bank in set(due) - self._rounds.keys():
            self._rounds[bank] = asyncio.create_task(self._deliver(bank))

    async def _pull_events(self, enclave: Enclave) -> None:
        while True:
            after = await self._database.read(events.last_position, enclave.id)
            request = consent_pb2.PullEventsRequest(after=after, page_size=_PAGE)
            answer = await enclave.call(enclave.stub.PullEvents, request)
            pulled = [Pulled(one.position, one.bank_id, one.sequence, one.event) for one in answer.events]
            if not pulled:
                return
            now = self._clock()
            await self._database.change("keep events", events.keep_events, enclave.id, pulled, now)

    async def _pull_objections(self, enclave: Enclave) -> None:
        while True:
            after = await self._database.read(objections.last_change, enclave.id)
            request = consent_pb2.ListObjectionStatesRequest(after=after, page_size=_PAGE)
            answer = await enclave.call(enclave.stub.ListObjectionStates, request)
            rows = [{name: getattr(one, name) for name in _PROGRESS} for one in answer.objections]
            if not rows:
                return
            await self._database.change("note progress of objections", objections.note_progress, enclave.id, rows)

    async def _deliver(self, bank: str) -> None:
        """Everything that is due for a bank, until it is out or the bank does not take it."""
        try:
            while (parcel := await self._claim(bank)) is not None:
                if not await self._post(parcel):
                    await self._database.change("event not taken", events.note_failed, parcel, self._clock())
                    return
                await self._database.change("event delivered", events.note_delivered, parcel)
        except RuntimeError as error:
            log.error("nothing delivered", bank=bank, error=str(error))

    async def _claim(self, bank: str) -> Parcel | None:
        return await self._database.change("claim an event", events.claim_next, bank, self._clock())

    async def _post(self, parcel: Parcel) -> bool:
        """Whether the bank took it: any 2xx. What it answers besides is not read."""
        headers = {"content-type": _MEDIA_TYPE}
        try:
            async with self._http.stream("POST", parcel.url, content=parcel.token, headers=headers) as answer:
                taken = answer.is_success
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            log.warning("event not taken", bank=parcel.bank, sequence=parcel.sequence, error=type(error).__name__)
            return False
        log.info("event pushed", bank=parcel.bank, sequence=parcel.sequence, status=answer.status_code)
        return taken
