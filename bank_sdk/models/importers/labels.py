"""Labels of bins, as tools print them: `[a,b)`, `[a ~ b)`, missing, and categories."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from xinyidai.catalogue import CellKind

from bank_sdk.errors import BinOverlap, BinSyntaxError, LossyBinLabels
from bank_sdk.models.importers.edges import after
from bank_sdk.models.importers.source import NUMBER, finite
from bank_sdk.models.importers.terms import Characteristic, Step, cover

_INTERVAL: Final = re.compile(r"([\[(])\s*([^,~\s]+)\s*[,~]\s*([^,~\s]+)\s*([\])])")
MAX_LABEL: Final = 4096
_ENDS: Final = {"-inf": -math.inf, "inf": math.inf, "+inf": math.inf}


def read_interval(label: str, place: str) -> tuple[float, float] | None:
    """[lower, upper) of an interval; None for any other label. Raises `BinSyntaxError` or `LossyBinLabels`."""
    text = label.strip()
    if len(text) > MAX_LABEL:
        raise BinSyntaxError(f"a label has at most {MAX_LABEL} characters", place=place)
    match = _INTERVAL.fullmatch(text)
    if match is None:
        if text[:1] in ("[", "(") and text[-1:] in ("]", ")") and ("," in text or "~" in text):
            raise BinSyntaxError(f"bin {text[:60]!r} is no interval", place=place, mend="write it as [lower,upper)")
        return None
    lower, upper = _end(match[2], text, place), _end(match[3], text, place)
    if lower == upper:
        raise LossyBinLabels(
            f"bin {text[:60]!r} has no width, so its label was rounded and the cut points are lost",
            place=place,
            mend="export with more digits, or import the live object or its PMML",
        )
    if not lower < upper:
        raise BinSyntaxError(f"bin {text[:60]!r} runs backwards", place=place, mend="write it as [lower,upper)")
    lower = after(lower) if match[1] == "(" and math.isfinite(lower) else lower
    upper = after(upper) if match[4] == "]" and math.isfinite(upper) else upper
    return lower, upper


def _end(text: str, label: str, place: str) -> float:
    if text.lower() in _ENDS:
        return _ENDS[text.lower()]
    if not NUMBER.fullmatch(text):
        raise BinSyntaxError(f"{text[:40]!r} in bin {label[:60]!r} is no number", place=place)
    return finite(text, place)


@dataclass
class Variable:
    """Bins of one variable as labels come in, before it is known whether it is numeric."""

    name: str
    place: str
    steps: list[Step] = field(default_factory=list)
    labels: dict[str, float] = field(default_factory=dict)
    missing: float | None = None
    other: float | None = None

    def interval(self, bounds: tuple[float, float], value: float) -> None:
        if any((step.lower, step.upper) == bounds for step in self.steps):
            raise LossyBinLabels(
                f"two bins of {self.name} have the same label, so labels were rounded and the cut points are lost",
                place=self.place,
                mend="export with more digits, or import the live object or its PMML",
            )
        self.steps.append(Step(*bounds, value))

    def category(self, label: str, value: float) -> None:
        if label in self.labels:
            raise BinOverlap(f"category {label!r} is given twice", place=self.place)
        self.labels[label] = value

    def set_missing(self, value: float) -> None:
        if self.missing is not None:
            raise BinOverlap("missing is given twice", place=self.place)
        self.missing = value

    def finish(self) -> Characteristic:
        """With intervals, other labels are special values; without, they are the categories."""
        cells = MappingProxyType({} if self.missing is None else {CellKind.MISSING: self.missing})
        if self.steps or not self.labels:
            steps = cover(self.steps, self.place)
            return Characteristic(self.name, self.place, steps, {}, cells, MappingProxyType(self.labels), self.other)
        return Characteristic(self.name, self.place, (), MappingProxyType(self.labels), cells, {}, self.other)


def split_known(label: str, separator: str, vocabulary: Sequence[str]) -> list[tuple[str, ...]]:
    """Every way to read `label` as categories of `vocabulary` joined by `separator`; at most two are looked for."""
    known = sorted(set(vocabulary))
    # Ways to read the first characters; two are as many as any answer needs, which keeps this linear in the label.
    ways: dict[int, list[tuple[str, ...]]] = {0: [()]}
    for end in range(1, len(label) + 1):
        for word in known:
            start = end - len(word)
            if start < 0 or label[start:end] != word:
                continue
            before = start if start == 0 else start - len(separator)
            if start and (before < 1 or label[before:start] != separator):
                continue
            ways.setdefault(end, []).extend((*way, word) for way in ways.get(before, []))
        if end in ways:
            ways[end] = ways[end][:2]
    return ways.get(len(label), [])
