"""Scoring processes and the work among them. The library holds the interpreter's lock, so parallel is processes."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import structlog
from xinyidai.framing import FrameKind, frame_bytes
from xinyidai.parameters import TREES_8192, TreeParameterSet
from xinyidai.reasons import Reason

from enclave.errors import Refused
from enclave.scoring.evaluator import Job
from enclave.scoring.worker import JOB, LENGTH

_CHUNK: Final = 8
"""Jobs a message: large enough to be cheap, small enough to spread one request over the workers. Trees go singly."""
_MODELS_A_WORKER: Final = 64
_TREES_A_WORKER: Final = 3
"""Of the address space a worker may use, one takes at most 0.8 GB: half of 4096 columns, expanded."""
_WIRE_ID_AT: Final = 5
_ATTEMPTS: Final = 3
_MESSAGE_SECONDS: Final = 60
"""Work on one message takes milliseconds; a worker that takes this long is replaced."""
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
log = structlog.get_logger("enclave.scoring")

Frames = Callable[[str], Awaitable[tuple[bytes, bytes]]]


class WorkerLost(RuntimeError):
    """A scoring process ended while it worked."""


class _Worker:
    """One process; it does one message at a time."""

    def __init__(self) -> None:
        mine, theirs = socket.socketpair()
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        self._process = subprocess.Popen(  # noqa: S603 (our own module, no shell)
            [sys.executable, "-m", "enclave.scoring.worker", str(theirs.fileno()), str(os.getpid())],
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        mine.setblocking(False)
        self._socket = mine
        self._models: OrderedDict[str, bool] = OrderedDict()
        """Least recently used first; whether it is a tree ensemble."""

    async def call(self, message: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            await self.tell(message)
            (length,) = LENGTH.unpack(await self._receive(loop, LENGTH.size))
            return await self._receive(loop, length)
        except OSError as error:
            raise WorkerLost("a scoring process ended") from error

    async def tell(self, message: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self._socket, LENGTH.pack(len(message)) + message)
        except OSError as error:
            raise WorkerLost("a scoring process ended") from error

    async def _receive(self, loop: asyncio.AbstractEventLoop, count: int) -> bytes:
        buffer = bytearray(count)
        view, got = memoryview(buffer), 0
        while got < count:
            read = await loop.sock_recv_into(self._socket, view[got:])
            if read == 0:
                raise WorkerLost("a scoring process ended")
            got += read
        return bytes(buffer)

    async def load(self, model_id: str, frames: Frames, trees: Path) -> None:
        if model_id in self._models:
            self._models.move_to_end(model_id)
            return
        weights, zero = await frames(model_id)
        is_trees = weights[_WIRE_ID_AT] == TREES_8192.wire_id
        await self._make_room(is_trees, _TREES_A_WORKER if is_trees else _MODELS_A_WORKER)
        if is_trees:
            await self.tell(b"T" + bytes.fromhex(model_id) + os.fsencode(trees / model_id))
        else:
            await self.tell(b"L" + bytes.fromhex(model_id) + weights + zero)
        self._models[model_id] = is_trees

    async def _make_room(self, is_trees: bool, most: int) -> None:
        alike = [model_id for model_id, kind in self._models.items() if kind is is_trees]
        if len(alike) >= most:
            del self._models[alike[0]]
            await self.tell(b"D" + bytes.fromhex(alike[0]))

    def stop(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()


class WorkerPool:
    """An `Evaluator` over worker processes. A lost worker is replaced and its work done again: it is deterministic."""

    def __init__(self, workers: int, frames: Frames, trees: Path) -> None:
        """`frames`: a model's leaves or weights, and its zero, by model id. `trees`: the folder of tree ensembles."""
        self._frames = frames
        self._trees = trees
        self._size = workers or os.cpu_count() or 1
        self._idle: asyncio.LifoQueue[_Worker | None] = asyncio.LifoQueue()
        """None: a worker is to be started when one is needed."""
        self._working: set[asyncio.Task[bytes]] = set()
        for _ in range(self._size):
            self._idle.put_nowait(_Worker())

    async def check(self, weights: bytes, zero: bytes) -> None:
        await self._check(b"C" + weights + zero)

    async def check_trees(self, folder: Path) -> None:
        await self._check(b"B" + os.fsencode(folder))

    async def _check(self, message: bytes) -> None:
        reply = await self._with_worker(lambda worker: worker.call(message))
        if reply[:1] != b"K":
            raise Refused(Reason(reply[1:].decode()), "the library refuses the ciphertexts; encrypt them anew")

    async def evaluate(self, jobs: Sequence[Job]) -> list[bytes]:
        if not jobs:
            return []
        size = 1 if isinstance(jobs[0].parameters, TreeParameterSet) else _CHUNK
        chunks = [jobs[at : at + size] for at in range(0, len(jobs), size)]
        replies = await asyncio.gather(*(self._chunk(chunk) for chunk in chunks))
        return [frame for reply in replies for frame in reply]

    async def close(self) -> None:
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        while not self._idle.empty():
            if (worker := self._idle.get_nowait()) is not None:
                worker.stop()

    async def _chunk(self, jobs: Sequence[Job]) -> list[bytes]:
        model_id = jobs[0].model_id
        parts = [b"E", bytes.fromhex(model_id), struct.pack("<H", len(jobs))]
        for job in jobs:
            parts.append(JOB.pack(job.mask_key, job.precision_points, job.active.size))
            parts.append(job.active.astype("<u2").tobytes())
        message = b"".join(parts)

        async def work(worker: _Worker) -> bytes:
            await worker.load(model_id, self._frames, self._trees)
            return await worker.call(message)

        reply = await self._with_worker(work)
        answer = frame_bytes(FrameKind.ANSWER, jobs[0].parameters)
        return [reply[at : at + answer] for at in range(1, len(reply), answer)]

    async def _with_worker(self, work: Callable[[_Worker], Awaitable[bytes]]) -> bytes:
        """A caller that goes away leaves the worker to finish: a message cut off half-way would cost the worker."""
        task = asyncio.create_task(self._to_the_end(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return await asyncio.shield(task)

    async def _to_the_end(self, work: Callable[[_Worker], Awaitable[bytes]]) -> bytes:
        for _ in range(_ATTEMPTS):
            worker = await self._idle.get()
            healthy = False
            try:
                worker = worker or _Worker()
                async with asyncio.timeout(_MESSAGE_SECONDS):
                    reply = await work(worker)
                healthy = True
                return reply
            except (WorkerLost, TimeoutError):
                log.warning("a scoring process was lost or hung and is replaced")
            finally:
                # A call cut off half-way leaves bytes behind in the socket, so such a worker is not used again either.
                if not healthy and worker is not None:
                    worker.stop()
                self._idle.put_nowait(worker if healthy else None)
        raise WorkerLost("scoring processes end again and again")
