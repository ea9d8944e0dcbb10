"""WhiteListService and AlertService over gRPC. Thin: who calls, relay, translate errors by one table."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final, TypeVar

from xinyidai.identifiers import BankId
from xinyidai.v1 import alerts_pb2, alerts_pb2_grpc, whitelist_pb2, whitelist_pb2_grpc

from server.admission import Admission
from server.alerts.models import SealedAlert
from server.errors import RequestInvalid
from server.relay.alerts import AlertRelay
from server.relay.banks import BankRelay
from server.relay.whitelist import WhiteListRelay
from server.rpc.calls import Call, Context, for_bank
from server.rpc.peer import peer_of
from server.whitelist.service import StoredList

_MOST_ACKNOWLEDGED: Final = 500
_LONGEST_ID: Final = 64
Entry = TypeVar("Entry")


class _Streams:
    """What both services share: calls have places, and streams places of their own."""

    def __init__(self, relay: BankRelay, admission: Admission, streams: Admission) -> None:
        self.relay = relay
        self.admission = admission
        self._streams = streams

    async def _stream(
        self, name: str, context: Context, source: Callable[[BankId], AsyncGenerator[Entry, None]]
    ) -> AsyncIterator[Entry]:
        """Without end; a bank that was removed meanwhile is out, as on every other call."""
        call = Call(name)
        try:
            peer = peer_of(context.auth_context())
            call.bank = peer.bank
            with self._streams.admit(peer.bank):
                bank = await self.relay.recognize(peer)
                async with aclosing(source(bank)) as entries:
                    async for entry in entries:
                        await self.relay.recognize(peer)
                        yield entry
            call.ended("OK")
            return
        except Exception as error:  # the process edge
            wire = call.failed(error)
        await context.abort(wire.code, wire.message, wire.trailing_metadata())


class WhiteListServicer(_Streams, whitelist_pb2_grpc.WhiteListServiceServicer):
    def __init__(self, relay: BankRelay, lists: WhiteListRelay, admission: Admission, streams: Admission) -> None:
        super().__init__(relay, admission, streams)
        self._lists = lists

    @for_bank
    async def Subscribe(self, bank: BankId, request: Any, context: Context) -> whitelist_pb2.SubscribeResponse:
        return await self._lists.subscribe(bank, request.subscription, context.time_remaining())

    @for_bank
    async def GetWhiteList(self, bank: BankId, request: Any, context: Context) -> whitelist_pb2.SealedWhiteList:
        return _list(await self._lists.newest(bank))

    async def StreamWhiteLists(
        self, request: whitelist_pb2.StreamWhiteListsRequest, context: Context
    ) -> AsyncIterator[whitelist_pb2.SealedWhiteList]:
        async for found in self._stream(
            "StreamWhiteLists", context, lambda bank: self._lists.lists(bank, request.above)
        ):
            yield _list(found)


class AlertServicer(_Streams, alerts_pb2_grpc.AlertServiceServicer):
    def __init__(self, relay: BankRelay, alerts: AlertRelay, admission: Admission, streams: Admission) -> None:
        super().__init__(relay, admission, streams)
        self._alerts = alerts

    @for_bank
    async def SetWatch(self, bank: BankId, request: Any, context: Context) -> alerts_pb2.Watch:
        return await self._alerts.set_watch(bank, request.watch, context.time_remaining())

    @for_bank
    async def ListWatches(self, bank: BankId, request: Any, context: Context) -> alerts_pb2.ListWatchesResponse:
        return alerts_pb2.ListWatchesResponse(watches=await self._alerts.watches(bank, context.time_remaining()))

    @for_bank
    async def GetAlerts(self, bank: BankId, request: Any, context: Context) -> alerts_pb2.GetAlertsResponse:
        return alerts_pb2.GetAlertsResponse(alerts=[_alert(entry) for entry in await self._alerts.waiting(bank)])

    @for_bank
    async def AckAlerts(self, bank: BankId, request: Any, context: Context) -> alerts_pb2.AckAlertsResponse:
        ids = list(request.alert_ids)
        if not 1 <= len(ids) <= _MOST_ACKNOWLEDGED or any(len(name) > _LONGEST_ID for name in ids):
            raise RequestInvalid(f"name 1 to {_MOST_ACKNOWLEDGED} alerts")
        await self._alerts.acknowledge(bank, ids)
        return alerts_pb2.AckAlertsResponse()

    async def StreamAlerts(
        self, request: alerts_pb2.StreamAlertsRequest, context: Context
    ) -> AsyncIterator[alerts_pb2.SealedAlert]:
        async for entry in self._stream("StreamAlerts", context, self._alerts.alerts):
            yield _alert(entry)


def _list(found: StoredList) -> whitelist_pb2.SealedWhiteList:
    return whitelist_pb2.SealedWhiteList(
        version=found.version, parts=found.parts, made_at=found.made_at, expires_at=found.expires_at
    )


def _alert(entry: SealedAlert) -> alerts_pb2.SealedAlert:
    return alerts_pb2.SealedAlert(
        alert_id=entry.alert_id, authorization=entry.authorization, sealed=entry.sealed, made_at=entry.made_at
    )
