"""The blocking face of the client, for plain scripts and threads."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from xinyidai.catalogue import Catalogue

from bank_sdk.client import BankClient
from bank_sdk.credentials import BankCredentials
from bank_sdk.errors import BankSdkError, InputError
from bank_sdk.keys import KeyStore, StoredModel
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.trees import TreeModel
from bank_sdk.questions import Item
from bank_sdk.results import AssessmentResult, GrantedAuthorization, RegisteredModel
from bank_sdk.stream import MOST_UNDER_WAY

Value = TypeVar("Value")
_LOOK_SECONDS = 0.001


class BankClientSync:
    """`BankClient` with blocking methods, on an event loop in a thread of its own. Many threads may share one.

    Use as `with BankClientSync.connect(...) as client:`. The methods are those of `BankClient`, with the same errors.
    """

    def __init__(self, make_client: Callable[[], Coroutine[Any, Any, BankClient]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="xinyidai-bank-sdk", daemon=True)
        self._thread.start()
        try:
            self._client = self._run(make_client())
        except BaseException:
            self._stop()
            raise

    @classmethod
    def connect(
        cls,
        target: str,
        credentials: BankCredentials,
        enclaves: Sequence[str] | None = None,
        *,
        key_store: KeyStore,
        timeout: float = 10.0,
    ) -> "BankClientSync":
        """See `BankClient.connect`."""
        return cls(lambda: BankClient.connect(target, credentials, enclaves, key_store=key_store, timeout=timeout))

    def __enter__(self) -> "BankClientSync":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection and end the thread; closing twice is harmless."""
        if not self._loop.is_closed():
            self._run(self._client.close())
            self._stop()

    def run(self, work: Callable[[BankClient], Coroutine[Any, Any, Value]]) -> Value:
        """For parts without a blocking face of their own: `client.run(lambda c: WhiteListClient(c).white_list())`."""
        return self._run(work(self._client))

    def catalogue(self) -> Catalogue:
        return self._run(self._client.catalogue())

    def register(self, scorecard: Scorecard | TreeModel) -> RegisteredModel:
        return self._run(self._client.register(scorecard))

    def models(self) -> list[RegisteredModel]:
        return self._run(self._client.models())

    def authorizations(self, enterprise: str | None = None) -> list[GrantedAuthorization]:
        return self._run(self._client.authorizations(enterprise))

    def usable_authorizations(
        self, model: RegisteredModel | str, enterprises: Iterable[str]
    ) -> dict[str, GrantedAuthorization]:
        return self._run(self._client.usable_authorizations(model, enterprises))

    def stored(self, model: RegisteredModel | str) -> StoredModel:
        return self._run(self._client.stored(model))

    def assess(
        self,
        item: Item,
        model: RegisteredModel | str,
        *,
        fresh: bool = False,
        precision_points: int | None = None,
        purpose: str | None = None,
    ) -> AssessmentResult:
        return self._run(
            self._client.assess(item, model, fresh=fresh, precision_points=precision_points, purpose=purpose)
        )

    def assess_many(
        self, items: Iterable[Item], model: RegisteredModel | str, *, fresh: bool = False
    ) -> Iterator[tuple[Item, AssessmentResult | BankSdkError]]:
        """`items` is read in the calling thread, a few hundred ahead of the results, so a database cursor will do."""
        feed: asyncio.Queue[list[Item]] = asyncio.Queue()
        # A batch at a time: a step between the threads for every item would cost more than its decryption.
        results = self._client.assess_batches(_drain(feed), model, fresh=fresh)
        source = iter(items)
        taken = yielded = 0
        ended = False
        try:
            while True:
                wanted = 0 if ended else MOST_UNDER_WAY - (taken - yielded)
                more = list(islice(source, wanted))
                taken += len(more)
                for entry in ([more] if more else []) + ([[]] if len(more) < wanted else []):
                    self._loop.call_soon_threadsafe(feed.put_nowait, entry)
                ended = ended or len(more) < wanted
                batch = self._run(_next(results))
                if batch is None:
                    return
                for pair in batch:
                    yielded += 1
                    yield pair
        finally:
            if not self._loop.is_closed():
                self._run(_end(results))

    def _run(self, work: Coroutine[Any, Any, Value]) -> Value:
        if self._loop.is_closed() or threading.current_thread() is self._thread:
            work.close()
            raise InputError(
                "the client is closed" if self._loop.is_closed() else "called from the client's own thread"
            )
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # An interrupt in the waiting thread ends the work too.
            future.cancel()
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _drain(feed: "asyncio.Queue[list[Item]]") -> AsyncIterator[Item]:
    """Items until an empty list."""
    while entry := await feed.get():
        for item in entry:
            yield item


async def _next(results: AsyncIterator[Value]) -> Value | None:
    return await anext(results, None)


async def _end(results: AsyncIterator[Any]) -> None:
    # An interrupt of the waiting thread leaves a step under way that is only being cancelled; it refuses to be closed.
    while getattr(results, "ag_running", False):  # noqa: ASYNC110 - a generator has no event to wait for
        await asyncio.sleep(_LOOK_SECONDS)
    close = getattr(results, "aclose", None)
    if close is not None:
        await close()
