"""The plaintext twin of the whole call path: the same processes, RPCs, documents, checks, ledger and receipts, but the
model's points lie open in the enclave and an answer is the score itself. What is left out is the cryptography alone."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xinyidai.framing import decode_answer
from xinyidai.parameters import LINEAR_4096_T1024, ParameterSet

import bank_sdk.verification
from enclave.app import protect, serve
from enclave.logs import configure_logging
from enclave.scoring.evaluator import Job
from enclave.settings import load_settings

POINTS = "XYD_TWIN_POINTS"
_ANSWER_BYTES = 8


class PlainEvaluator:
    """An `Evaluator` that adds up points in the clear."""

    def __init__(self, points: NDArray[np.int64]) -> None:
        self._points = points

    async def check(self, weights: bytes, zero: bytes) -> None:
        """Nothing is encrypted, so there is nothing to expand."""

    async def check_trees(self, folder: Path) -> None:
        """The twin adds up points; it has no trees."""

    async def evaluate(self, jobs: Sequence[Job]) -> list[bytes]:
        return [int(self._points[job.active].sum()).to_bytes(_ANSWER_BYTES, "little") for job in jobs]

    async def close(self) -> None:
        """It holds nothing."""


@dataclass(frozen=True, slots=True)
class PlainAnswer:
    """Stands where the ciphertext stands."""

    score: int
    parameters: ParameterSet = LINEAR_4096_T1024


class PlainKey:
    """Stands where the secret key stands: the answer already is the score."""

    parameters: ParameterSet = LINEAR_4096_T1024

    def decrypt_coefficient(self, answer: PlainAnswer) -> int:
        return answer.score


def read_plain_answers() -> None:
    """Let this process's SDK take a plain answer for what it is; encrypted ones are read as ever."""

    def decode(raw: bytes) -> Any:
        return PlainAnswer(int.from_bytes(raw, "little")) if len(raw) == _ANSWER_BYTES else decode_answer(raw)

    bank_sdk.verification.decode_answer = decode  # type: ignore[attr-defined]


def main(config: Path) -> None:
    configure_logging()
    settings = load_settings(config)
    protect(settings)
    points = np.load(os.environ[POINTS], allow_pickle=False)
    asyncio.run(serve(settings, build_evaluator=lambda frames: PlainEvaluator(points)))


if __name__ == "__main__":
    import sys

    main(Path(sys.argv[sys.argv.index("--config") + 1]))
