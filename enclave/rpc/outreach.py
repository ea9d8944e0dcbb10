"""White list and alerts over gRPC. Thin: parse, call, translate errors by the one table."""

import re
from typing import Any, Final

from xinyidai.reasons import Reason
from xinyidai.v1 import alerts_pb2, alerts_pb2_grpc, whitelist_pb2, whitelist_pb2_grpc

from enclave.alerts.watches import WatchState
from enclave.errors import Refused
from enclave.outreach import Outreach
from enclave.rpc.errors import translated

_PAGE_TOKEN: Final = re.compile(r"[0-9]{0,18}", re.ASCII)


class OutreachServicer(whitelist_pb2_grpc.EnclaveWhiteListServiceServicer, alerts_pb2_grpc.EnclaveAlertServiceServicer):
    def __init__(self, outreach: Outreach) -> None:
        self._outreach = outreach

    @translated
    async def SubmitWhiteListStatement(
        self, request: Any, context: Any
    ) -> whitelist_pb2.SubmitWhiteListStatementResponse:
        confirmation = await self._outreach.submit_statement(request.statement)
        return whitelist_pb2.SubmitWhiteListStatementResponse(confirmation=confirmation)

    @translated
    async def SubmitDemand(self, request: Any, context: Any) -> whitelist_pb2.SubmitDemandResponse:
        await self._outreach.submit_demand(request.demand)
        return whitelist_pb2.SubmitDemandResponse()

    @translated
    async def SubscribeWhiteList(self, request: Any, context: Any) -> whitelist_pb2.SubscribeResponse:
        bank, subscribed = await self._outreach.subscribe(request.subscription)
        return whitelist_pb2.SubscribeResponse(bank_id=bank, subscribed=subscribed)

    @translated
    async def MakeWhiteList(self, request: Any, context: Any) -> whitelist_pb2.SealedWhiteList:
        made = await self._outreach.make_list(request.bank_id)
        return whitelist_pb2.SealedWhiteList(
            version=made.version, parts=made.parts, made_at=made.made_at, expires_at=made.expires_at
        )

    @translated
    async def GetDisclosures(self, request: Any, context: Any) -> whitelist_pb2.GetDisclosuresResponse:
        token = request.page_token
        if not 0 <= request.page_size <= 500 or not _PAGE_TOKEN.fullmatch(token):
            raise Refused(Reason.REQUEST_INVALID, "page_size is 1 to 500, page_token what the last page returned")
        receipts, following = await self._outreach.disclosures(
            request.access, int(token) if token else 1 << 62, request.page_size or 100
        )
        following_token = "" if following is None else str(following)
        return whitelist_pb2.GetDisclosuresResponse(receipts=receipts, next_page_token=following_token)

    @translated
    async def SetWatch(self, request: Any, context: Any) -> alerts_pb2.Watch:
        return _watch(await self._outreach.set_watch(request.watch))

    @translated
    async def ListWatches(self, request: Any, context: Any) -> alerts_pb2.ListWatchesResponse:
        found = await self._outreach.watches(request.bank_id)
        return alerts_pb2.ListWatchesResponse(watches=[_watch(entry) for entry in found])

    @translated
    async def TakeAlerts(self, request: Any, context: Any) -> alerts_pb2.TakeAlertsResponse:
        return alerts_pb2.TakeAlertsResponse(
            alerts=[
                alerts_pb2.TakenAlert(
                    number=made.number,
                    bank_id=made.bank,
                    enterprise=made.enterprise,
                    alert=alerts_pb2.SealedAlert(
                        alert_id=made.alert_id,
                        authorization=made.authorization,
                        sealed=made.sealed,
                        made_at=made.made_at,
                    ),
                )
                for made in await self._outreach.take_alerts(request.after)
            ]
        )


def _watch(found: WatchState) -> alerts_pb2.Watch:
    return alerts_pb2.Watch(
        authorization=found.authorization,
        enterprise=found.enterprise,
        state=found.state,
        reason=found.reason,
        alerts=found.alerts,
        checked_at=found.checked_at,
    )
