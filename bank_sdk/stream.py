"""Many assessments over one stream: batches in flight, answers in the order of the items, in flat memory."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

import grpc
from xinyidai.identifiers import EnclaveId
from xinyidai.identity import TrustAnchor
from xinyidai.requests import max_items
from xinyidai.v1 import assessment_pb2

from bank_sdk.errors import BankSdkError, InputError, ServiceError, Unavailable, VerificationError
from bank_sdk.questions import Asker, Item, terms_of
from bank_sdk.results import AssessmentResult
from bank_sdk.verification import Question, open_answer, verify_answer
from bank_sdk.wire import Backoff, refusal, service_error

BATCH_ITEMS: Final = 64
IN_FLIGHT: Final = 4
MOST_UNDER_WAY: Final = BATCH_ITEMS * (IN_FLIGHT + 1)
"""Items that may have been taken from the source and not yet yielded."""
_LOOKUPS: Final = 8
_GOODBYE_SECONDS: Final = 1.0

Outcome = AssessmentResult | BankSdkError
Reader = Callable[[assessment_pb2.Outcome, Question, frozenset[str]], Outcome]


def read_outcome(
    outcome: assessment_pb2.Outcome, question: Question, asked: frozenset[str], anchor: TrustAnchor, now: int
) -> Outcome:
    """A verified and decrypted answer, or why there is none.

    Raises nothing: whether a decryption made sense must change nothing in what the client sends next.
    """
    if outcome.HasField("refusal"):
        return refusal(outcome.refusal.reason, outcome.refusal.message)
    if not outcome.HasField("assessment"):
        return VerificationError("the service sent an outcome without a result")
    parts = [(part.category, part.answer) for part in outcome.assessment.parts]
    try:
        verified = verify_answer(outcome.assessment.receipt, parts, question, asked, anchor, now)
        return open_answer(verified, question)
    except VerificationError as error:
        return error


@dataclass(slots=True, eq=False)
class _Batch:
    """Consecutive items of one signed request. Items without a question were settled before anything was sent."""

    items: list[Item]
    questions: list[Question]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    """By position in the batch."""
    sent: list[int] = field(default_factory=list)
    """Positions of the items of the request now under way."""
    nonce: str | None = None
    asked: set[str] = field(default_factory=set)

    @property
    def complete(self) -> bool:
        return len(self.outcomes) == len(self.items)

    @property
    def enclaves(self) -> tuple[EnclaveId, ...]:
        return self.questions[0].enclaves if self.questions else ()


class AssessmentStream:
    """One run of `BankClient.assess_many`."""

    def __init__(
        self,
        stub: Any,
        asker: Asker,
        resolve: Callable[[Item], Awaitable[Question]],
        read: Reader,
        timeout: float,
    ) -> None:
        self._stub = stub
        self._asker = asker
        self._resolve = resolve
        self._read = read
        self._timeout = timeout
        self._call: Any = None
        self._enclaves: tuple[EnclaveId, ...] = ()
        self._heard = False
        """Whether the open stream delivered anything yet."""
        self._waiting: deque[_Batch] = deque()
        self._under_way: deque[_Batch] = deque()
        self._backoff = Backoff(0.0)

    async def run(
        self, items: Iterable[Item] | AsyncIterable[Item]
    ) -> AsyncGenerator[list[tuple[Item, Outcome]], None]:
        """A few dozen consecutive items at a time, as soon as all of them are settled."""
        source = _asynchronous(items)
        try:
            while await self._fill(source):
                head = self._under_way[0]
                self._progress()
                while not head.complete:
                    await self._advance()
                self._under_way.popleft()
                yield [(item, head.outcomes[position]) for position, item in enumerate(head.items)]
            await self._finish()
        finally:
            self._close()

    async def _fill(self, source: AsyncIterator[Item]) -> bool:
        """Take items until enough requests are under way; False when nothing is left."""
        while len(self._under_way) < IN_FLIGHT:
            if not self._waiting:
                chunk = await _take(source, BATCH_ITEMS)
                self._waiting.extend(await self._batches(chunk))
            if not self._waiting:
                break
            self._under_way.append(self._waiting.popleft())
        return bool(self._under_way)

    async def _batches(self, chunk: list[Item]) -> list[_Batch]:
        """Runs of items whose questions have the same terms; an item without a question is a run of its own."""
        gate = asyncio.Semaphore(_LOOKUPS)

        async def look_up(item: Item) -> Question | BankSdkError:
            async with gate:
                try:
                    return await self._resolve(item)
                except (InputError, ServiceError, VerificationError) as error:
                    return error

        found = await asyncio.gather(*(look_up(item) for item in chunk))
        batches = []
        pairs = list(zip(chunk, found, strict=True))
        for _, run in groupby(pairs, key=lambda pair: _run_key(pair[1])):
            batches += [_batch(members) for members in _requests(list(run))]
        return batches

    async def _advance(self) -> None:
        """Send what is unsent, and take in one message; on a broken stream, begin another or give up."""
        try:
            async with asyncio.timeout(self._backoff.remaining()):
                await self._send()
                message = await self._call.read()
            if message is grpc.aio.EOF:
                raise Unavailable("the service ended the stream early")
        except grpc.RpcError as error:
            await self._recover(service_error(error))
        except TimeoutError:
            await self._recover(Unavailable("no answer within the time limit", code="DEADLINE_EXCEEDED"))
        except Unavailable as error:
            await self._recover(error)
        else:
            self._take_in(message)
            self._heard = True
            self._progress()

    async def _send(self) -> None:
        """Sign and send every request that is not under way. One stream goes to one set of enclaves: a request for
        others waits until it is the first, and then has a stream of its own."""
        head = self._under_way[0]
        if self._call is not None and head.nonce is None and head.enclaves != self._enclaves:
            await self._finish()
        if self._call is None:
            self._call, self._heard, self._enclaves = self._stub.AssessMany(), False, head.enclaves
        for batch in self._under_way:
            if batch.nonce is not None or batch.complete:
                continue
            if batch.enclaves != self._enclaves:
                return
            batch.sent = [i for i in range(len(batch.items)) if i not in batch.outcomes]
            signed = self._asker.sign([batch.questions[i] for i in batch.sent])
            batch.nonce = signed.nonce
            batch.asked.add(signed.digest)
            # A stream that has ended refuses the write; reading from it then tells why.
            with suppress(asyncio.InvalidStateError):
                await self._call.write(assessment_pb2.AssessRequest(request=signed.raw))

    def _take_in(self, message: assessment_pb2.AssessResponse) -> None:
        batch = next((b for b in self._under_way if b.nonce == message.nonce), None)
        if batch is None:
            raise VerificationError("the service answered a request that was not made")
        for outcome in message.outcomes:
            if not 0 <= outcome.item < len(batch.sent) or (position := batch.sent[outcome.item]) in batch.outcomes:
                raise VerificationError("the service answered an item that was not asked, or twice")
            batch.outcomes[position] = self._read(outcome, batch.questions[position], frozenset(batch.asked))
        if message.last and not batch.complete:
            raise VerificationError("the service left items of a request without an answer")

    async def _recover(self, error: ServiceError) -> None:
        """After this, unanswered requests will be signed anew or are settled. Raises `error` if neither may be."""
        heard = self._heard
        self._close()
        if not isinstance(error, Unavailable):
            raise error
        for batch in self._under_way:
            if batch.nonce is None or batch.complete:
                continue
            if batch.questions[0].fresh:
                if not heard:
                    raise error
                batch.outcomes.update({i: error for i in batch.sent if i not in batch.outcomes})
            batch.nonce = None
        if not self._under_way[0].complete:
            await self._backoff.pause(error)

    def _progress(self) -> None:
        self._backoff = Backoff(time.monotonic() + self._timeout)

    async def _finish(self) -> None:
        """Say goodbye, so that the service does not take the end for a break. Nothing is owed by now."""
        if self._call is not None:
            with suppress(grpc.RpcError, asyncio.InvalidStateError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._call.done_writing()
                    await self._call.read()
            self._close()

    def _close(self) -> None:
        if self._call is not None:
            self._call.cancel()
            self._call = None


def _run_key(found: Question | BankSdkError) -> tuple[object, ...]:
    return terms_of(found) if isinstance(found, Question) else (id(found),)


async def _asynchronous(items: Iterable[Item] | AsyncIterable[Item]) -> AsyncIterator[Item]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for item in items:
        yield item


async def _take(source: AsyncIterator[Item], count: int) -> list[Item]:
    taken: list[Item] = []
    with suppress(StopAsyncIteration):
        while len(taken) < count:
            taken.append(await anext(source))
    return taken


def _requests(run: list[tuple[Item, Question | BankSdkError]]) -> list[list[tuple[Item, Question | BankSdkError]]]:
    """Cut a run into what one signed request may hold: a bounded number of items, none of them twice."""
    cut: list[list[tuple[Item, Question | BankSdkError]]] = []
    seen: set[str] = set()
    for item, found in run:
        most = max_items(found.terms.disclosure) if isinstance(found, Question) else len(run)
        name = found.authorization if isinstance(found, Question) else ""
        if not cut or len(cut[-1]) >= most or name in seen:
            cut.append([])
            seen = set()
        cut[-1].append((item, found))
        seen.add(name)
    return cut


def _batch(members: list[tuple[Item, Question | BankSdkError]]) -> _Batch:
    questions = [found for _, found in members if isinstance(found, Question)]
    batch = _Batch([item for item, _ in members], questions)
    batch.outcomes = {i: found for i, (_, found) in enumerate(members) if isinstance(found, BankSdkError)}
    return batch
