"""The parity report: how an integer model compares with the model it stands for, on a sample the bank names."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from xinyidai.files import write_whole

from bank_sdk.errors import InputError
from bank_sdk.fit.codes import Codes, read_codes, score_codes
from bank_sdk.metrics import Discrimination, discrimination
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.trees import TreeModel
from bank_sdk.monitoring import checked_cuts, psi

_KIND: Final = "parity/v1"
_MAX_BYTES: Final = 1024 * 1024
_BANDS: Final = 10


@dataclass(frozen=True, slots=True)
class ParityReport:
    """Holds no points and no row: it may be filed with the model's papers."""

    scorecard_digest: str
    """Of the scorecard, or of the tree ensemble."""
    catalogue_digest: str
    sample: str
    """Which rows, in the bank's words."""
    rows: int
    largest_difference: float
    """In points, between the integer score and the reference."""
    mean_difference: float
    cuts: tuple[int, ...]
    """The integer bands of the next two."""
    band_agreement: float
    """Share of rows in the same band."""
    psi: float
    reference: Discrimination | None
    """None when no outcomes were given."""
    ours: Discrimination | None

    def save(self, folder: str | Path) -> Path:
        """Write `<digest of the scorecard>.parity.json` (0600), atomically, and return its path."""
        path = Path(folder) / f"{self.scorecard_digest}.parity.json"
        document = {"kind": _KIND, **asdict(self)}
        write_whole(path, json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode())
        return path

    @classmethod
    def load(cls, path: str | Path, scorecard: Scorecard | TreeModel) -> "ParityReport":
        """Raises `InputError` when the file is no report, or one of another scorecard."""
        try:
            with Path(path).open("rb") as file:
                document = json.loads(file.read(_MAX_BYTES))
            if document.pop("kind") != _KIND:
                raise ValueError
            for side in ("reference", "ours"):
                document[side] = document[side] and Discrimination(**document[side])
            report = cls(**{**document, "cuts": tuple(document["cuts"])})
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{Path(path).name}: not a parity report of this version; make it anew") from error
        if (report.scorecard_digest, report.catalogue_digest) != (scorecard.digest, scorecard.catalogue.digest):
            raise InputError(f"{Path(path).name}: the report is about another scorecard; make one for this")
        return report


def parity_report(
    scorecard: Scorecard | TreeModel,
    codes: Codes | NDArray[Any] | Any,
    reference: Sequence[float] | NDArray[Any],
    *,
    outcome: Sequence[int] | NDArray[Any] | None = None,
    cuts: Sequence[int] | None = None,
    higher_is: str = "better",
    sample: str = "",
) -> ParityReport:
    """Hold a model against `reference`, the original model's scores on the same scale, one a row.

    `cuts`: the bank's integer bands; by default the deciles of the integer scores. The reference is put into these
    bands as it is, unrounded. Raises `InputError`.
    """
    ours = score_codes(scorecard, read_codes(codes, scorecard.catalogue))
    theirs = np.asarray(reference, np.float64)
    if theirs.shape != ours.shape or not np.isfinite(theirs).all():
        raise InputError(f"give one finite reference score for each of the {ours.size} rows")
    edges = checked_cuts(cuts) if cuts is not None else decile_cuts(ours)
    difference = np.abs(theirs - ours)
    agree = np.searchsorted(edges, ours, side="right") == np.searchsorted(edges, theirs, side="right")
    return ParityReport(
        scorecard_digest=scorecard.digest,
        catalogue_digest=scorecard.catalogue.digest,
        sample=sample,
        rows=int(ours.size),
        largest_difference=float(difference.max()),
        mean_difference=float(difference.mean()),
        cuts=edges,
        band_agreement=float(agree.mean()),
        psi=psi(np.floor(theirs).astype(np.int64), ours, edges).index,
        reference=None if outcome is None else discrimination(theirs, outcome, higher_is=higher_is),
        ours=None if outcome is None else discrimination(ours, outcome, higher_is=higher_is),
    )


def decile_cuts(scores: NDArray[np.int64]) -> tuple[int, ...]:
    """Distinct integer deciles: at least one cut, fewer than nine when scores are lumpy."""
    marks = np.quantile(scores, np.linspace(0, 1, _BANDS + 1)[1:-1], method="higher")
    return tuple(int(cut) for cut in np.unique(marks))
