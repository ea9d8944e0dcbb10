"""What a file or live object says, before it meets the catalogue; and the conversion of what was planned."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

from xinyidai.catalogue import Catalogue, CellKind

from bank_sdk.errors import ImportRefused, OddsDirectionRequired, PlanMismatch, ScaleRequired
from bank_sdk.models.importers.grid_edges import CellPolicy, EdgeRule, Options
from bank_sdk.models.importers.plan import Conversion
from bank_sdk.models.importers.report import ConversionReport
from bank_sdk.models.importers.source import Source
from bank_sdk.models.importers.terms import Characteristic, Unit, Value
from bank_sdk.models.scale import Scale
from bank_sdk.models.scorecard import Scorecard
from bank_sdk.models.tables import Policy, Rounding

Positive = Literal["bad", "good"]


@dataclass(frozen=True, repr=False)
class Import:
    """An additive model as its source states it: exact edges, exact values, nothing rounded yet.

    The values are the bank's secret: printing shows none.
    """

    source: Source
    unit: Unit
    """`points` as they stand, or `log_odds` of the class the model predicts, natural logarithm."""
    characteristics: tuple[Characteristic, ...]
    base: float = 0.0
    notes: tuple[str, ...] = ()
    """What a reader of the report should know about the source."""
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Settings that do not change the score, such as `reasonCodeAlgorithm`."""

    def __post_init__(self) -> None:
        if not self.characteristics:
            raise ImportRefused("the model uses no variable", place=self.source.name or self.source.format)

    @property
    def edges(self) -> Mapping[str, tuple[float, ...]]:
        """Cut points by variable, as exact doubles: what to propose for the next version of a grid."""
        return {c.name: c.edges for c in self.characteristics if c.steps}

    @cached_property
    def digest(self) -> str:
        """Hex SHA-256 of everything that makes the score."""
        parts = [
            [
                c.name,
                [[step.lower.hex(), step.value.hex()] for step in c.steps],
                [[label, float(value).hex()] for label, value in c.labels.items()],
                sorted([str(kind), float(value).hex()] for kind, value in c.cells.items()),
                [[label, float(value).hex()] for label, value in c.specials.items()],
                None if c.other is None else float(c.other).hex(),
            ]
            for c in self.characteristics
        ]
        return hashlib.sha256(json.dumps([self.unit, float(self.base).hex(), parts]).encode()).hexdigest()

    def value(self, row: Mapping[str, Value]) -> float:
        """What the source gives for these values, in its own unit and unrounded; a variable left out is missing.

        Raises `InputError` where the source gives nothing.
        """
        return self.base + sum(c.at(row.get(c.name)) for c in self.characteristics)

    def plan(
        self,
        catalogue: Catalogue,
        *,
        edges: EdgeRule = "exact",
        points: Rounding = "refuse",
        scale: Scale | None = None,
        positive: Positive | None = None,
        features: Mapping[str, str] | None = None,
        categories: Mapping[str, Mapping[str, float | CellKind]] | None = None,
        specials: Mapping[str, Mapping[str, CellKind]] | None = None,
        missing: CellPolicy = "require",
        not_applicable: CellPolicy = "require",
        not_authorized: CellPolicy = "require",
        unknown: Policy = "require",
        steps: Mapping[str, float] | None = None,
        sample: Any = None,
    ) -> ConversionReport:
        """A dry run. By variable name: `features` to feature codes, `categories` to the catalogue's numbers or cells,
        `specials` to cells, `steps` the distance between values of a variable (1 for whole numbers), `sample` columns.

        `edges`: "exact" lists edges off the grid, which then block the conversion; "snap" moves them to the nearest
        edge; "refuse" raises at the first that is not there bit for bit. `points`: "refuse" fractions, or round to the
        "nearest". `scale` and `positive`, the class whose log-odds these are, are needed for log-odds. The policies
        give whole points to cells the source says nothing about. Raises a `ScorecardError`.
        """
        policies: dict[CellKind, CellPolicy] = {
            CellKind.MISSING: missing,
            CellKind.NOT_APPLICABLE: not_applicable,
            CellKind.NOT_AUTHORIZED: not_authorized,
        }
        options = Options(
            features or {}, categories or {}, specials or {}, edges, points, policies, unknown, steps or {}, sample
        )
        factor, offset = (1.0, 0.0) if self.unit == "points" else points_line(self.source, scale, positive)
        conversion = Conversion(catalogue, options, lambda value: factor * value)
        for characteristic in self.characteristics:
            conversion.take(characteristic)
        base = conversion.base(offset + factor * self.base)
        return self._report(conversion, base, scale)

    def to_scorecard(self, plan: ConversionReport, *, name: str | None = None) -> Scorecard:
        """Raises `PlanMismatch` for a plan of another import, `EdgeNotOnGrid` when the plan is blocked."""
        if plan.import_digest != self.digest:
            raise PlanMismatch("the plan was made for another import", mend="call plan() of this one")
        if plan.blocked:
            raise plan.blocked[0]
        title = name or self.source.name or self.source.format
        return Scorecard(title[:128], plan.catalogue, plan.table, plan.base_points)

    def _report(self, conversion: Conversion, base: int, scale: Scale | None) -> ConversionReport:
        ledger = conversion.ledger
        return ConversionReport(
            source=self.source,
            import_digest=self.digest,
            catalogue=conversion.catalogue,
            edges=tuple(ledger.edges),
            lost_bins=tuple(ledger.lost_bins),
            rounded=tuple(ledger.rounded),
            policies=tuple(ledger.policies),
            notes=(*self.notes, *dict.fromkeys(ledger.notes)),
            blocked=tuple(ledger.blocked),
            rounding_bound=conversion.bound,
            base_points=base,
            table=MappingProxyType(conversion.table),
            scale=scale,
        )

    def __repr__(self) -> str:
        return f"Import({self.source.format!r}, {len(self.characteristics)} variables, {self.unit}, **redacted**)"


def points_line(source: Source, scale: Scale | None, positive: Positive | None) -> tuple[float, float]:
    """Factor and offset from log-odds of the class a model predicts to points. Raises `ScaleRequired` or
    `OddsDirectionRequired`."""
    place = source.name or source.format
    if scale is None:
        raise ScaleRequired(
            "the model gives log-odds, not points",
            place=place,
            mend='say scale=Scale(pdo=20, base_score=600, base_odds=50, odds="good:bad"), with your own numbers',
        )
    if positive not in ("bad", "good"):
        raise OddsDirectionRequired(
            "the file does not say whether class 1 is bad or good",
            place=place,
            mend='say positive="bad" or positive="good"',
        )
    return (-scale.factor if positive == "bad" else scale.factor), scale.offset
