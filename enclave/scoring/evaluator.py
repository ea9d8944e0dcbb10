"""What the service asks of an evaluator, whatever stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One answer to compute. Everything data-dependent is in here; the result is a pure function of it."""

    model_id: str
    mask_key: bytes
    """32 bytes, for this answer alone."""
    precision_points: int
    active: NDArray[np.int64]


class Evaluator(Protocol):
    async def check(self, weights: bytes, zero: bytes) -> None:
        """Expand both frames with the library. Raises `Refused` when it refuses them."""

    async def evaluate(self, jobs: Sequence[Job]) -> list[bytes]:
        """An ANSWER frame for each job, in order, always of the same size."""

    async def close(self) -> None: ...
