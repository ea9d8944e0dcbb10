"""What the service asks of an evaluator, whatever stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from xinyidai.parameters import LINEAR_4096_T1024, ParameterSet


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One answer to compute. Everything data-dependent is in here; the result is a pure function of it."""

    model_id: str
    mask_key: bytes
    """32 bytes, for this answer alone."""
    precision_points: int
    active: NDArray[np.int64]
    parameters: ParameterSet = LINEAR_4096_T1024


class Evaluator(Protocol):
    async def check(self, weights: bytes, zero: bytes) -> None:
        """Expand both frames with the library. Raises `Refused` when it refuses them."""

    async def check_trees(self, folder: Path) -> None:
        """Expand the upload in `folder` with the library and store it for evaluation. Raises `Refused` likewise."""

    async def evaluate(self, jobs: Sequence[Job]) -> list[bytes]:
        """An ANSWER frame for each job, in order, always of the same size for a parameter set."""

    async def close(self) -> None: ...
