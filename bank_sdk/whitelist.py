"""The white list from a bank's side: enterprises in good standing that want finance and agreed to be found."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from xinyidai.confidential import OpeningKey
from xinyidai.parties import open_sealed
from xinyidai.signing import DocumentError
from xinyidai.v1 import whitelist_pb2, whitelist_pb2_grpc
from xinyidai.whitelist.lists import LIST_TYPE, MAX_PARTS, ListHead, Member, Withdrawal, join, parse_part
from xinyidai.whitelist.statements import Subscription

from bank_sdk.client import BankClient
from bank_sdk.errors import ListExpired, ListRolledBack, VerificationError
from bank_sdk.session import Session
from bank_sdk.wire import call, service_error

_SEEN: Final = "white list of {}"


@dataclass(frozen=True, slots=True)
class WhiteList:
    """One version, verified. It holds until `expires_at`; a later version replaces it as a whole."""

    version: int
    members: tuple[Member, ...]
    withdrawn: tuple[Withdrawal, ...]
    """Were on an earlier list and left by themselves: forget them."""
    made_at: int
    """Seconds since 1970-01-01 UTC."""
    expires_at: int
    as_of: str
    """Month end of the newest records a standing was decided on; a standing may be older by the enclave's rule."""
    scorecard: str
    """The public scorecard in force."""
    enclave: str


class WhiteListClient:
    """The white list over the connection of a `BankClient`, which stays the caller's to close.

    Every method raises `ServiceError`, `VerificationError` and `KeyStoreError`. Not guaranteed: that the service shows
    the newest version at once; a list that is withheld runs out.
    """

    def __init__(self, client: BankClient) -> None:
        self._client = client
        self._stub: Any = whitelist_pb2_grpc.WhiteListServiceStub(client.channel)  # type: ignore[no-untyped-call]

    async def subscribe(self) -> None:
        """From now on lists are made for this bank, sealed to a key of this key store. Safe to repeat."""
        await self._subscribe(wanted=True)

    async def unsubscribe(self) -> None:
        await self._subscribe(wanted=False)

    async def _subscribe(self, *, wanted: bool) -> None:
        session = await self._client.session()
        reader = (await asyncio.to_thread(session.keys.reader)).public if wanted else None

        def request() -> whitelist_pb2.SubscribeRequest:
            signed = Subscription(session.stamp(), reader).sign(session.signing_key)
            return whitelist_pb2.SubscribeRequest(subscription=signed)

        await call(self._stub.Subscribe, request, self._client.timeout, repeatable=True)

    async def white_list(self) -> WhiteList:
        """The newest version. Raises `ListExpired` for one past its time, `ListRolledBack` for one older than a version
        this key store has seen."""
        session = await self._client.session()
        found = await call(
            self._stub.GetWhiteList, whitelist_pb2.GetWhiteListRequest, self._client.timeout, repeatable=True
        )
        return await self._opened(found.parts, session)

    async def stream(self) -> AsyncGenerator[WhiteList, None]:
        """The newest version, and each later one as it is made; ends when the service stops."""
        session = await self._client.session()
        stream = self._stub.StreamWhiteLists(whitelist_pb2.StreamWhiteListsRequest())
        try:
            async for found in stream:
                yield await self._opened(found.parts, session)
        except grpc.RpcError as error:
            raise service_error(error) from error
        finally:
            stream.cancel()

    async def _opened(self, parts: Sequence[str], session: Session) -> WhiteList:
        return await asyncio.to_thread(_take, parts, session)


def _take(parts: Sequence[str], session: Session) -> WhiteList:
    """Open, verify, and remember how far the versions have come."""
    found = open_white_list(parts, session, session.keys.reader())
    newest = session.keys.take_number(_SEEN.format(found.enclave), found.version)
    if found.version < newest:
        raise ListRolledBack(f"version {found.version} came after version {newest}; go on with that until it runs out")
    return found


def open_white_list(untrusted_parts: Sequence[str], session: Session, key: OpeningKey) -> WhiteList:
    """Raises `VerificationError` unless these are all parts of one list that an enclave made for this bank, in time."""
    if not 1 <= len(untrusted_parts) <= MAX_PARTS:
        raise VerificationError("the list does not consist of parts as it should")
    now = session.asker.now()
    moment = datetime.fromtimestamp(now, UTC)
    try:
        opened = [open_sealed(part, key, session.anchor, LIST_TYPE, moment) for part in untrusted_parts]
        head, members, withdrawn = join([parse_part(claims) for claims in opened])
    except DocumentError as error:
        raise VerificationError(f"the list does not check: {error}") from error
    _check_head(head, session, now)
    return WhiteList(
        version=head.version,
        members=members,
        withdrawn=withdrawn,
        made_at=head.made_at,
        expires_at=head.expires_at,
        as_of=head.as_of,
        scorecard=head.scorecard,
        enclave=head.enclave,
    )


def _check_head(head: ListHead, session: Session, now: int) -> None:
    session.check(head.enclave, head.bank, head.made_at)
    if head.expires_at <= now:
        raise ListExpired("this list has run out; enterprises on it may have left")
