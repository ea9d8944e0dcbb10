"""What passes between banks and enclaves about monitoring after the loan."""

from collections.abc import AsyncGenerator, Sequence

import structlog
from xinyidai.alerts.documents import parse_watch
from xinyidai.identifiers import BankId
from xinyidai.signing import read_unverified
from xinyidai.v1 import alerts_pb2

from server.alerts.models import SealedAlert
from server.alerts.service import TakenAlert, acknowledge, cursor_of, keep_alerts, unacknowledged
from server.audit.models import Kind
from server.audit.service import OK, Event
from server.bell import Bell
from server.db import Database
from server.enclaves import Enclave, Enclaves
from server.errors import PeerMismatch, Refused
from server.relay.journal import Journal

log = structlog.get_logger("server.alerts")


class AlertRelay:
    """Every method raises `Refused` or `DocumentError`."""

    def __init__(self, enclaves: Enclaves, database: Database, journal: Journal, bell: Bell) -> None:
        self._enclaves = enclaves
        self._database = database
        self._journal = journal
        self._bell = bell

    async def set_watch(self, bank: BankId, raw: str, remaining: float | None) -> alerts_pb2.Watch:
        untrusted = parse_watch(read_unverified(raw))
        if untrusted.stamp.issuer != bank:
            raise PeerMismatch("the document's issuer is not the bank of this connection")
        enclave = self._enclaves.choose(untrusted.stamp.audience)
        event = Event(
            Kind.SET_WATCH,
            OK,
            enclave.id,
            bank=bank,
            enterprise=untrusted.enterprise,
            authorization=untrusted.authorization,
        )
        request = alerts_pb2.SetWatchRequest(watch=raw)
        answer: alerts_pb2.Watch = await self._journal.relay(
            enclave, enclave.alerts.SetWatch, request, event, remaining
        )
        await self._journal.passed(event)
        return answer

    async def watches(self, bank: BankId, remaining: float | None) -> list[alerts_pb2.Watch]:
        found: list[alerts_pb2.Watch] = []
        for enclave in self._enclaves.each():
            request = alerts_pb2.ListWatchesOfRequest(bank_id=bank)
            answer = await enclave.call(enclave.alerts.ListWatches, request, remaining)
            found += answer.watches
        return found

    async def waiting(self, bank: BankId) -> list[SealedAlert]:
        return await self._database.read(unacknowledged, bank)

    async def acknowledge(self, bank: BankId, alert_ids: Sequence[str]) -> None:
        await self._database.change("acknowledge alerts", acknowledge, bank, alert_ids, self._journal.clock())

    async def alerts(self, bank: BankId) -> AsyncGenerator[SealedAlert, None]:
        """What the bank has not acknowledged, each once, until the process stops."""
        sent: set[str] = set()
        while not self._bell.ended:
            waiting = await self.waiting(bank)
            fresh = [entry for entry in waiting if entry.alert_id not in sent]
            # What was acknowledged meanwhile does not come again.
            sent &= {entry.alert_id for entry in waiting}
            for entry in fresh:
                sent.add(entry.alert_id)
                yield entry
            if not fresh:
                await self._bell.wait()

    async def sweep(self) -> None:
        """Take what the enclaves made; asking is also what has them look whether checks are due."""
        for enclave in self._enclaves.each():
            try:
                await self._take(enclave)
            except Refused as error:
                log.warning("alerts wait", enclave=enclave.id, reason=str(error.reason))

    async def _take(self, enclave: Enclave) -> None:
        last = await self._database.read(cursor_of, enclave.id)
        answer = await enclave.call(enclave.alerts.TakeAlerts, alerts_pb2.TakeAlertsRequest(after=last))
        if not answer.alerts:
            return
        taken = [
            TakenAlert(
                entry.alert.alert_id, entry.bank_id, entry.alert.authorization, entry.alert.sealed, entry.alert.made_at
            )
            for entry in answer.alerts
        ]
        last = max(entry.number for entry in answer.alerts)
        await self._database.change("keep alerts", keep_alerts, enclave.id, taken, last)
        self._bell.ring()
