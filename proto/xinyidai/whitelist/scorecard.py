"""The public scorecard, compiled for a catalogue. It is plain and published: nothing about it is a bank's secret."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from xinyidai.catalogue import Catalogue, CatalogueError, Text
from xinyidai.conditions import (
    Condition,
    PublicData,
    at_edge,
    bilingual,
    number,
    read_condition,
    read_public_data,
)
from xinyidai.signing import Claims, DocumentMalformed

_MOST: Final = 64
_MAX_POINTS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Characteristic:
    feature: str
    at: int
    """Where the feature stands in the catalogue."""
    points: tuple[int, ...]
    """By cell of the feature: value cells, missing, not applicable, not authorized."""


@dataclass(frozen=True, slots=True)
class PublicScorecard:
    reference: str
    digest: str
    title: Text
    threshold: int
    gates: tuple[Condition, ...]
    characteristics: tuple[Characteristic, ...]
    categories: tuple[str, ...]
    """Categories it reads, in the order of the catalogue."""

    def points(self, row: Sequence[int]) -> int:
        """`row`: the cell of each feature of the catalogue."""
        return sum(entry.points[int(row[entry.at])] for entry in self.characteristics)

    def good_standing(self, row: Sequence[int]) -> bool:
        """No gate is hit, and the points reach the threshold."""
        if any(gate.holds(int(row[gate.at])) for gate in self.gates):
            return False
        return self.points(row) >= self.threshold


@cache
def public_data() -> PublicData:
    return read_public_data("xinyidai.whitelist", "scorecard.yaml")


def public_scorecard(catalogue: Catalogue) -> PublicScorecard:
    """The one in force. Raises `CatalogueError` for a catalogue that lacks its features or edges."""
    return compile_scorecard(public_data(), catalogue)


def compile_scorecard(data: PublicData, catalogue: Catalogue) -> PublicScorecard:
    """Raises `CatalogueError`."""
    top = data.members
    try:
        top.only("code", "version", "title", "provenance", "threshold", "gates", "characteristics")
        gates = tuple(
            read_condition(entry.only("feature", "from", "below"), catalogue)
            for entry in top.objects("gates", most=_MOST)
        )
        characteristics = tuple(
            _characteristic(entry, catalogue) for entry in top.objects("characteristics", most=_MOST)
        )
        title, threshold = bilingual(top, "title"), top.integer("threshold", 0, _MOST * _MAX_POINTS)
    except DocumentMalformed as error:
        raise CatalogueError(data.reference, str(error)) from error
    if len({entry.feature for entry in characteristics}) != len(characteristics):
        raise CatalogueError(data.reference, "a feature occurs twice")
    features = {gate.feature for gate in gates} | {entry.feature for entry in characteristics}
    read = {name for feature in features for name in catalogue.feature(feature).sources}
    categories = tuple(category.code for category in catalogue.categories if category.code in read)
    return PublicScorecard(data.reference, data.digest, title, threshold, gates, characteristics, categories)


def _characteristic(claims: Claims, catalogue: Catalogue) -> Characteristic:
    claims.only("feature", "edges", "points", "missing", "not_applicable")
    feature = catalogue.feature(claims.text("feature", most=64))
    edges, points = claims.members.get("edges"), claims.members.get("points")
    if not isinstance(edges, list) or not isinstance(points, list) or len(points) != len(edges) + 1:
        raise DocumentMalformed(f"{feature.code}: one number of points more than edges")
    bounds = [0, *(at_edge(feature, number(edge, "an edge")) for edge in edges), feature.missing]
    if sorted(set(bounds)) != bounds:
        raise DocumentMalformed(f"{feature.code}: edges must rise")
    whole = [Claims({"points": value}).integer("points", 0, _MAX_POINTS) for value in points]
    cells = [value for i, value in enumerate(whole) for _ in range(bounds[i], bounds[i + 1])]
    rest = [claims.integer(name, 0, _MAX_POINTS) for name in ("missing", "not_applicable")]
    at = next(i for i, entry in enumerate(catalogue.features) if entry.code == feature.code)
    # An opt-in covers every category the scorecard reads: the last cell never occurs.
    return Characteristic(feature.code, at, (*cells, *rest, 0))
