"""The dry run of a conversion: everything that would change, before anything does."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from xinyidai.catalogue import Catalogue

from bank_sdk.errors import EdgeNotOnGrid, ScaleRequired
from bank_sdk.models.importers.source import Source
from bank_sdk.models.scale import Scale
from bank_sdk.models.trees import Tree


@dataclass(frozen=True, slots=True)
class EdgeChange:
    """A cut point that does not stand on the public grid bit for bit."""

    characteristic: str
    feature: str
    edge: float
    moved_to: float
    """The grid edge used instead: for `off_grid` the nearest, which is not used unless asked for."""
    kind: Literal["equivalent", "snapped", "off_grid"]
    """`equivalent`: no value the feature can take lies between the two, so nothing changes."""
    rows_affected: int | None
    """Rows of the sample between the two; None without a sample."""
    largest_jump: int = field(repr=False)
    """Most points a value between the two gains or loses."""


@dataclass(frozen=True, slots=True)
class LostBin:
    """A bin that moved edges left without a cell."""

    characteristic: str
    feature: str
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class PointsChange:
    """A value rounded to whole points."""

    feature: str
    cell: str
    exact: float = field(repr=False)
    points: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class PolicyUse:
    """Points of a cell that came from an argument, because the source says nothing about it."""

    feature: str
    cell: str
    policy: str
    points: int = field(repr=False)


@dataclass(frozen=True)
class Report:
    """What every conversion says of itself. Lists every approximation; its text shows no points but in `lines`.

    The bound on rounding does not cover moved edges: for these see `largest_jump` and `rows_affected`.
    """

    source: Source
    import_digest: str
    catalogue: Catalogue = field(repr=False)
    edges: tuple[EdgeChange, ...]
    lost_bins: tuple[LostBin, ...]
    rounded: tuple[PointsChange, ...] = field(repr=False)
    policies: tuple[PolicyUse, ...]
    notes: tuple[str, ...]
    blocked: tuple[EdgeNotOnGrid, ...]
    """What forbids the conversion; empty when it will be done."""
    rounding_bound: float
    """No record's score differs by more from that of the source before rounding, in points."""
    base_points: int = field(repr=False)
    scale: Scale | None

    @property
    def exact(self) -> bool:
        """Whether the model here will give exactly the score of the source for every record it has a score for."""
        moved = any(change.kind != "equivalent" for change in self.edges)
        return not (self.blocked or moved or self.rounded)

    def pd(self, score: float) -> float:
        """The probability of bad, 0..1. Raises `ScaleRequired` when the plan was made without a scale."""
        if self.scale is None:
            raise ScaleRequired(
                "the file holds points, not how they become probabilities",
                place=self.source.name or self.source.format,
                mend="plan with scale=Scale(pdo=..., base_score=..., base_odds=..., odds=...)",
            )
        return self.scale.pd(score)

    def lines(self) -> Iterator[str]:
        """For people: one line a change, points included."""
        yield f"来源 / source: {self.source.format} {self.source.name} {self.source.library}".rstrip()
        yield f"目录 / catalogue: {self.catalogue.reference}"
        for change in self.edges:
            yield _edge_line(change)
        for lost in self.lost_bins:
            yield f"分箱消失 / bin lost: {lost.feature} [{lost.lower:.9g}, {lost.upper:.9g})"
        for value in self.rounded:
            yield f"分值取整 / rounded: {value.feature} {value.cell}: {value.exact:.6g} -> {value.points}"
        for use in self.policies:
            yield f"按约定取值 / by policy: {use.feature} {use.cell}: {use.points} ({use.policy})"
        for note in self.notes:
            yield f"说明 / note: {note}"
        yield f"取整误差上限 / rounding changes a score by at most: {self.rounding_bound:.6g}"
        yield f"可转换 / convertible: {'否 / no' if self.blocked else '是 / yes'}"


@dataclass(frozen=True)
class ConversionReport(Report):
    """Of a conversion to a scorecard, which `Import.to_scorecard` does."""

    table: Mapping[str, tuple[int, ...]] = field(repr=False)
    """Points of every cell, feature by feature, as in `Scorecard.points`."""

    @property
    def largest(self) -> int:
        """The largest total after the offsets; see `OverflowProof`."""
        return sum(max(row) - min(row) for row in self.table.values())


@dataclass(frozen=True)
class TreeReport(Report):
    """Of a conversion to a tree ensemble, which `TreeImport.to_trees` does."""

    trees: tuple[Tree, ...] = field(repr=False)

    @property
    def largest(self) -> int:
        """The largest total after the offsets; see `TreeProof`."""
        return sum(max(tree.leaves) - min(tree.leaves) for tree in self.trees)


_EDGE = {
    "equivalent": "边界等价 / edge equivalent",
    "snapped": "边界移动 / edge moved",
    "off_grid": "边界不在网格上 / edge off the grid, nearest",
}


def _edge_line(change: EdgeChange) -> str:
    rows = "" if change.rows_affected is None else f", {change.rows_affected} 行 / rows"
    jump = "" if change.kind == "equivalent" else f", ±{change.largest_jump} 分 / points"
    return f"{_EDGE[change.kind]}: {change.feature}: {change.edge:.17g} -> {change.moved_to:.17g}{rows}{jump}"
