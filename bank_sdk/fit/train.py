"""Training on the catalogue's cells: what comes out is exact on the public grid by construction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CellKind

from bank_sdk.errors import InputError
from bank_sdk.fit.additive import Additive, Monotone, Unseen, monotone_signs, settle_unseen
from bank_sdk.fit.codes import Cells, Codes, read_codes, score_codes, take
from bank_sdk.fit.parity import ParityReport, decile_cuts, parity_report
from bank_sdk.fit.stumps import StumpOptions, fit_stumps
from bank_sdk.fit.woe import ScorecardOptions, fit_scorecard
from bank_sdk.metrics import checked_outcome
from bank_sdk.models.scale import Scale
from bank_sdk.models.scorecard import OverflowProof, Scorecard

Kind = Literal["scorecard", "stumps"]
DEFAULT_SCALE: Final = Scale(pdo=20, base_score=600, base_odds=50, odds="good:bad")
"""600 points at 50 goods to a bad, the odds double every 20 points, higher is better."""


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A scorecard fitted on codes, with what is needed to judge it. Printing shows no points."""

    scorecard: Scorecard
    kind: Kind
    scale: Scale
    proof: OverflowProof = field(repr=False)
    parity: ParityReport
    """The integer points against the unrounded model, on the rows held out."""
    assumed: tuple[tuple[str, CellKind], ...]
    """Cells training saw too few rows of, which got the points the argument `unseen` says."""
    dropped: Mapping[str, str]
    """Features left out, and why."""
    unrounded: Additive = field(repr=False)

    @property
    def rounding_bound(self) -> float:
        """No score differs from the unrounded model's by more than this many points."""
        return 0.5 * (len(self.scorecard.points) + 1)

    def score(self, codes: Codes | NDArray[Any] | Any) -> Cells:
        """Integer scores of rows of cells, exactly what the service answers for them."""
        return score_codes(self.scorecard, read_codes(codes, self.scorecard.catalogue))


def train_on_codes(
    codes: Codes | NDArray[Any] | Any,
    outcome: Sequence[int] | NDArray[Any],
    catalogue: Catalogue,
    kind: Kind = "scorecard",
    *,
    name: str | None = None,
    scale: Scale = DEFAULT_SCALE,
    monotone: Monotone = None,
    unseen: Unseen = "neutral",
    holdout: float = 0.3,
    seed: int = 0,
    options: ScorecardOptions | StumpOptions | None = None,
) -> TrainedModel:
    """Fit a model on cells of the public grid, so that taking it over loses nothing but the rounding of points.

    `codes`: cells by feature (see `codes_of`), or an array (rows, all features). `outcome`: 1 bad, 0 good. `kind`:
    "scorecard" is WOE of coarse classes with a logistic regression; "stumps" boosted trees of depth one. `monotone`:
    feature -> 1 (better with the value) or -1, or "catalogue" for the directions the catalogue states. `unseen`:
    points of cells too rare to judge, listed in `assumed`; decide it knowingly for the not-authorized cells.
    `holdout`: share of the rows, stratified by outcome, kept for the parity report alone; every other row trains. The
    same arguments give the same model. Raises `InputError`, `UnknownFeature`, or `PointsOverflow` (take a smaller
    PDO).
    """
    columns = read_codes(codes, catalogue)
    bad = checked_outcome(outcome, next(iter(columns.values())).size)
    if kind not in ("scorecard", "stumps"):
        raise InputError('kind is "scorecard" or "stumps"; deeper trees: train_trees')
    signs = monotone_signs(monotone, catalogue, columns)
    train, held_out = split_rows(bad, holdout, seed)
    known = take(columns, train)
    if kind == "scorecard":
        fitted = fit_scorecard(known, bad[train], catalogue, signs, _options(options, ScorecardOptions))
    else:
        fitted = fit_stumps(known, bad[train], catalogue, signs, seed, _options(options, StumpOptions))
    additive, assumed = settle_unseen(fitted, catalogue, unseen)
    scorecard = _points(additive, catalogue, scale, name or f"{kind} on {catalogue.reference}")
    proof = scorecard.prove()
    parity = parity_report(
        scorecard,
        rows := take(columns, held_out),
        scale.offset + scale.factor * additive.log_odds(rows),
        outcome=bad[held_out],
        cuts=decile_cuts(score_codes(scorecard, known)),
        higher_is=scale.higher_is,
        sample=f"held out: {held_out.size} of {bad.size} rows, seed {seed}",
    )
    return TrainedModel(scorecard, kind, scale, proof, parity, assumed, additive.dropped, additive)


def _options(given: Any, wanted: Any) -> Any:
    if given is not None and not isinstance(given, wanted):
        raise InputError(f"the options of this kind are {wanted.__name__}")
    return given or wanted()


def split_rows(bad: NDArray[np.float64], holdout: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows held out, each with the same share of bads, at least one good and one bad in both."""
    if not 0 < holdout < 1:
        raise InputError("holdout is a share between 0 and 1")
    generator = np.random.default_rng(seed)
    train, held_out = [], []
    for outcome in (0, 1):
        rows = generator.permutation(np.flatnonzero(bad == outcome))
        if rows.size < 2:
            raise InputError("there must be at least two goods and two bads")
        count = min(max(1, round(holdout * rows.size)), rows.size - 1)
        held_out.append(rows[:count])
        train.append(rows[count:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out))


def _points(additive: Additive, catalogue: Catalogue, scale: Scale, name: str) -> Scorecard:
    points = {
        code: [round(scale.factor * float(value)) for value in values]
        for code, values in additive.contributions.items()
    }
    return Scorecard(name, catalogue, points, round(scale.offset + scale.factor * additive.intercept))
