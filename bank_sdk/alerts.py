"""Monitoring after the loan: watches on enterprises that authorized it, and what each check found."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import grpc
from xinyidai.alerts.documents import ALERT_TYPE, PURPOSE, Alert, WatchOrder, parse_alert
from xinyidai.confidential import OpeningKey
from xinyidai.identifiers import parse_uscc
from xinyidai.parties import open_sealed
from xinyidai.signing import DocumentError
from xinyidai.v1 import alerts_pb2, alerts_pb2_grpc

from bank_sdk.client import BankClient
from bank_sdk.errors import InputError, VerificationError
from bank_sdk.questions import Item, as_enterprise, as_grant
from bank_sdk.results import GrantedAuthorization
from bank_sdk.session import Session
from bank_sdk.wire import call, service_error

_SEEN: Final = "alerts under {}"


@dataclass(frozen=True, slots=True)
class WatchStatus:
    authorization: str
    """Digest of the authorization it rests on."""
    enterprise: str
    state: str
    """active, suspended or ended."""
    reason: str
    """Why it is not active: a reason of the wire, about consent or budgets."""
    alerts: int
    checked_at: int
    """Seconds since 1970-01-01 UTC; 0: not yet."""


@dataclass(frozen=True, slots=True)
class ReceivedAlert:
    alert: Alert
    missing: int
    """Alerts of this watch that were made before and never came."""


class AlertClient:
    """Monitoring over the connection of a `BankClient`, which stays the caller's to close.

    Every method raises `ServiceError`, `VerificationError` and `KeyStoreError`. Each check is charged to the ledger of
    the enterprise, whatever it finds. Not guaranteed: that the service delivers an alert soon; `missing` shows what it
    kept back once a later one comes.
    """

    def __init__(self, client: BankClient) -> None:
        self._client = client
        self._stub: Any = alerts_pb2_grpc.AlertServiceStub(client.channel)  # type: ignore[no-untyped-call]

    async def watch(self, item: Item) -> WatchStatus:
        """Start a watch, or renew it. `item`: a USCC, whose newest authorization for monitoring is taken, or an
        authorization. Raises `InputError` when there is none."""
        grant = as_grant(item) or await self._grant_of(item)
        session = await self._client.session()
        reader = (await asyncio.to_thread(session.keys.reader)).public
        return await self._order(session, grant.digest, grant.terms.enterprise, reader)

    async def end(self, authorization: str) -> WatchStatus:
        """No further checks, and no further charges."""
        known = next((w for w in await self.watches() if w.authorization == authorization), None)
        if known is None:
            raise InputError("this bank has no such watch")
        return await self._order(await self._client.session(), authorization, known.enterprise, None)

    async def watches(self) -> list[WatchStatus]:
        response = await self._call(self._stub.ListWatches, alerts_pb2.ListWatchesRequest)
        return [_status(entry) for entry in response.watches]

    async def alerts(self) -> list[ReceivedAlert]:
        """Not yet acknowledged, oldest first, at most 100."""
        session = await self._client.session()
        response = await self._call(self._stub.GetAlerts, alerts_pb2.GetAlertsRequest)
        return [await asyncio.to_thread(_take, entry, session) for entry in response.alerts]

    async def stream(self) -> AsyncGenerator[ReceivedAlert, None]:
        """Likewise, and each later one, at least once; ends when the service stops."""
        session = await self._client.session()
        stream = self._stub.StreamAlerts(alerts_pb2.StreamAlertsRequest())
        try:
            async for entry in stream:
                yield await asyncio.to_thread(_take, entry, session)
        except grpc.RpcError as error:
            raise service_error(error) from error
        finally:
            stream.cancel()

    async def acknowledge(self, alerts: Sequence[ReceivedAlert]) -> None:
        """These are in the bank's own books and need not come again."""
        if alerts:
            ids = [entry.alert.alert_id for entry in alerts]
            await self._call(self._stub.AckAlerts, partial(alerts_pb2.AckAlertsRequest, alert_ids=ids))

    async def _grant_of(self, item: Item) -> GrantedAuthorization:
        listed = await self._client.authorizations(as_enterprise(item))
        usable = [grant for grant in listed if grant.state == "active" and grant.terms.purpose == PURPOSE]
        if not usable:
            raise InputError(f"the enterprise has given no authorization for {PURPOSE}")
        return max(usable, key=lambda grant: grant.terms.issued_at)

    async def _order(self, session: Session, authorization: str, enterprise: str, reader: Any) -> WatchStatus:
        def request() -> alerts_pb2.SetWatchRequest:
            order = WatchOrder(session.stamp(), parse_uscc(enterprise), authorization, reader)
            return alerts_pb2.SetWatchRequest(watch=order.sign(session.signing_key))

        return _status(await self._call(self._stub.SetWatch, request))

    async def _call(self, method: Any, make_request: Any) -> Any:
        return await call(method, make_request, self._client.timeout, repeatable=True)


def _status(entry: alerts_pb2.Watch) -> WatchStatus:
    return WatchStatus(**{name: getattr(entry, name) for name in WatchStatus.__dataclass_fields__})


def _take(entry: alerts_pb2.SealedAlert, session: Session) -> ReceivedAlert:
    """Open, verify, and remember how far the watch's numbers have come."""
    alert = open_alert(entry.sealed, session, session.keys.reader())
    if alert.authorization != entry.authorization or alert.alert_id != entry.alert_id:
        raise VerificationError("the service sent another alert than it named")
    newest = session.keys.take_number(_SEEN.format(alert.authorization), alert.number)
    return ReceivedAlert(alert, max(0, alert.number - newest - 1))


def open_alert(untrusted: str, session: Session, key: OpeningKey) -> Alert:
    """Raises `VerificationError` unless an enclave made this alert for this bank."""
    moment = datetime.fromtimestamp(session.asker.now(), UTC)
    try:
        alert = parse_alert(open_sealed(untrusted, key, session.anchor, ALERT_TYPE, moment))
    except DocumentError as error:
        raise VerificationError(f"the alert does not check: {error}") from error
    session.check(alert.enclave, alert.bank, alert.made_at)
    return alert
