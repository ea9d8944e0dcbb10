"""What both kinds of training end in: log-odds that are a sum over features of a contribution of the active cell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from xinyidai.catalogue import Catalogue, CellKind, Direction, Feature

from bank_sdk.errors import InputError, UnknownFeature
from bank_sdk.fit.codes import Codes

Numbers = NDArray[np.float64]
Unseen = Literal["neutral", "worst"]
Monotone = Mapping[str, int] | Literal["catalogue"] | None
NO_VALUE = (CellKind.MISSING, CellKind.NOT_APPLICABLE, CellKind.NOT_AUTHORIZED)


@dataclass(frozen=True, slots=True)
class Additive:
    """ln(good:bad) = intercept + sum of contributions. The bank's secret: printing shows no number."""

    intercept: float = field(repr=False)
    contributions: Mapping[str, Numbers] = field(repr=False)
    """One number a cell, in the order of `Feature.cells`; NaN where training saw too few rows to say anything."""
    dropped: Mapping[str, str]
    """Features left out, and why."""

    def log_odds(self, codes: Codes) -> Numbers:
        rows = next(iter(codes.values())).size
        total = np.full(rows, self.intercept)
        for code, values in self.contributions.items():
            total += values[codes[code]]
        return total


def settle_unseen(
    additive: Additive, catalogue: Catalogue, unseen: Unseen
) -> tuple[Additive, tuple[tuple[str, CellKind], ...]]:
    """Fill the cells training could not judge: "neutral" is no evidence either way, as the fit itself took them;
    "worst" is the least the feature adds in any cell. Returns also which cells were filled."""
    if unseen not in ("neutral", "worst"):
        raise InputError('unseen is "neutral" or "worst"')
    filled: dict[str, Numbers] = {}
    assumed: list[tuple[str, CellKind]] = []
    for code, values in additive.contributions.items():
        known = ~np.isnan(values)
        substitute = 0.0 if unseen == "neutral" else float(values[known].min())
        filled[code] = np.where(known, values, substitute)
        cells = catalogue.feature(code).cells
        assumed += [(code, cells[at].kind) for at in np.flatnonzero(~known)]
    return Additive(additive.intercept, filled, additive.dropped), tuple(assumed)


def monotone_signs(monotone: Monotone, catalogue: Catalogue, features: Mapping[str, object]) -> dict[str, int]:
    """Per feature: 1 when the log-odds of good may only rise with the value, -1 when only fall, 0 when free.

    "catalogue" takes the catalogue's own direction. Raises `InputError` or `UnknownFeature`.
    """
    if monotone == "catalogue":
        return {code: _direction(catalogue.feature(code)) for code in features}
    signs = dict(monotone or {})
    for code, sign in signs.items():
        if code not in features:
            raise UnknownFeature(code, "a monotone constraint names a feature the codes lack")
        if sign not in (-1, 0, 1):
            raise InputError(f"{code}: a monotone constraint is 1 (better with the value), -1 (worse) or 0")
    return {code: signs.get(code, 0) for code in features}


def _direction(feature: Feature) -> int:
    return {Direction.HIGHER: 1, Direction.LOWER: -1}.get(feature.direction, 0)
