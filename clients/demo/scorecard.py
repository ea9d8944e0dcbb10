"""An expert scorecard over every feature of a catalogue: more points in the better direction, cut at the policy edges.

It shows the work, not the wisdom, of a bank's own model; a bank brings what it fitted on its own outcomes.
"""

from typing import Final

from xinyidai.catalogue import Direction, Feature

from bank_sdk import Catalogue, Scorecard

_MOST: Final = 10
"""Points of a feature's best cell: over 92 features the largest total stays below 1024."""


def expert_scorecard(catalogue: Catalogue, name: str = "expert") -> Scorecard:
    rows = [row for feature in catalogue.features for row in _rows(feature)]
    return Scorecard.from_table(rows, catalogue, name=name, missing=3, not_applicable=5, not_authorized=0)


def _rows(feature: Feature) -> list[dict[str, object]]:
    bounds = [None, *feature.edges, None]
    last = len(feature.edges)
    return [
        {"feature": feature.code, "lower": bounds[i], "upper": bounds[i + 1], "points": _points(feature, i, last)}
        for i in range(last + 1)
    ]


def _points(feature: Feature, position: int, last: int) -> int:
    if feature.direction is Direction.LOWER:
        position = last - position
    if feature.direction is Direction.MIDDLE:
        return round(_MOST * (1 - abs(2 * position - last) / last))
    return round(_MOST * position / last)
