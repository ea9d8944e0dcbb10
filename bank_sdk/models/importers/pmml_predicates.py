"""Predicates of PMML as regions of one variable, and lists of them, of which the first that holds wins, as terms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import and_, or_
from types import MappingProxyType
from typing import Final

import numpy as np
from xinyidai.catalogue import CellKind

from bank_sdk.errors import BinGap, UnsupportedElement
from bank_sdk.models.importers.markup import Element
from bank_sdk.models.importers.pmml_fields import Field, Fields, canonical
from bank_sdk.models.importers.pmml_regions import Region
from bank_sdk.models.importers.terms import Characteristic, Step, number_of

PREDICATES: Final = ("SimplePredicate", "CompoundPredicate", "SimpleSetPredicate", "True", "False")
MAX_PIECES: Final = 1024
_MAX_PARTS: Final = 256
_MEND: Final = "use one field a characteristic, compared with constants and joined by and"


@dataclass(frozen=True, slots=True)
class Piece:
    region: Region
    value: float = field(repr=False)
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """The values a predicate is true for; `field` is None when it names none."""

    field: Field | None
    region: Region


def read_predicate(owner: Element, fields: Fields) -> Condition:
    """The predicate of an element. Raises `UnsupportedElement` for those over several fields."""
    found = owner.first(*PREDICATES)
    if found is None:
        wrong = owner.first(*(child.tag for child in owner.children if child.tag.endswith("Predicate")))
        if wrong is not None:
            wrong.unsupported(f"{wrong.tag} has no counterpart", _MEND)
        owner.malformed("has no predicate")
    return _condition(found, fields)


def _condition(predicate: Element, fields: Fields) -> Condition:
    if predicate.tag == "True":
        return Condition(None, Region.everything())
    if predicate.tag == "False":
        return Condition(None, Region())
    if predicate.tag == "CompoundPredicate":
        return _compound(predicate, fields)
    if predicate.tag not in ("SimplePredicate", "SimpleSetPredicate"):
        predicate.unsupported(f"{predicate.tag} has no counterpart", _MEND)
    known = fields.find(predicate, predicate.need("field"))
    if predicate.tag == "SimplePredicate":
        fields.spend(predicate, 1)
        return Condition(known, _simple(predicate, known))
    values = _array(predicate.one("Array"))
    fields.spend(predicate, len(values))
    return Condition(known, _set(predicate, known, values))


def _compound(predicate: Element, fields: Fields) -> Condition:
    operator = predicate.need("booleanOperator")
    if operator not in ("and", "or"):
        predicate.unsupported(f"a predicate joined by {operator[:20]!r} has no counterpart", _MEND)
    if not 1 <= len(predicate.children) <= _MAX_PARTS:
        predicate.malformed(f"joins 1 to {_MAX_PARTS} predicates")
    parts = [_condition(child, fields) for child in predicate.children if child.tag != "Extension"]
    used = {part.field.variable: part.field for part in parts if part.field is not None}
    if len(used) > 1:
        predicate.unsupported(f"asks about several fields at once: {', '.join(sorted(used))}", _MEND)
    region = reduce(and_ if operator == "and" else or_, (part.region for part in parts))
    return Condition(next(iter(used.values()), None), region)


def _simple(predicate: Element, known: Field) -> Region:
    operator = predicate.need("operator")
    if operator in ("isMissing", "isNotMissing"):
        return known.absent if operator == "isMissing" else ~known.absent
    raw = predicate.need("value")
    if operator in ("equal", "notEqual"):
        same = _equal(predicate, known, [raw])
        return same if operator == "equal" else (~same) & ~known.absent
    if operator not in ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"):
        predicate.malformed(f"operator {operator[:20]!r} is none")
    if known.categorical:
        predicate.unsupported(f"orders the categories of {known.variable}", "list the categories instead")
    edge = known.below(raw, f"{predicate.place}/@value", inclusive=operator in ("lessOrEqual", "greaterThan"))
    less = operator.startswith("less")
    return Region.between(-np.inf, edge) if less else Region.between(edge, np.inf)


def _set(predicate: Element, known: Field, values: Sequence[str]) -> Region:
    operator = predicate.need("booleanOperator")
    if operator not in ("isIn", "isNotIn"):
        predicate.malformed(f"booleanOperator {operator[:20]!r} is none")
    same = _equal(predicate, known, values)
    return same if operator == "isIn" else (~same) & ~known.absent


_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)')


def _array(array: Element) -> list[str]:
    """Words apart by spaces; those in quotes may hold spaces, and quotes after a backslash."""
    words = []
    for match in _QUOTED.finditer(array.text):
        words.append(match[2] if match[1] is None else match[1].replace('\\"', '"').replace("\\\\", "\\"))
    if not 1 <= len(words) <= MAX_PIECES or str(len(words)) != array.get("n", str(len(words))):
        array.malformed(f"is no list of 1 to {MAX_PIECES} values of the length it says")
    return words


def _equal(predicate: Element, known: Field, values: Sequence[str]) -> Region:
    if known.bins is not None:
        return reduce(or_, (known.bins.get(canonical(value), Region()) for value in values), Region())
    if known.categorical:
        return Region(labels=frozenset(values))
    return Region.union(
        (known.below(v, predicate.place, inclusive=False), known.below(v, predicate.place, inclusive=True))
        for v in values
    )


def term(name: str, place: str, known: Field, pieces: Sequence[Piece]) -> Characteristic:
    """What the first matching piece gives for every value. Raises `BinGap` for values without one."""
    if len(pieces) > MAX_PIECES:
        raise UnsupportedElement(f"more than {MAX_PIECES} attributes", place=place, mend="merge them")
    missing = next((piece.value for piece in pieces if piece.region.missing), None)
    if known.categorical and known.bins is None:
        return _categories(name, place, known, pieces, missing)
    steps = _steps(place, pieces)
    if known.replacement is not None:
        at = number_of(known.replacement)
        if at is None:
            raise UnsupportedElement(f"missing counts as {known.replacement!r}, which is no number", place=place)
        missing = next(step.value for step in steps if step.lower <= at < step.upper)
    cells = MappingProxyType({} if missing is None else {CellKind.MISSING: missing})
    return Characteristic(name, place, steps, {}, cells)


def _steps(place: str, pieces: Sequence[Piece]) -> tuple[Step, ...]:
    edges = np.unique(np.array([edge for piece in pieces for edge in piece.region.edges], np.float64))
    if edges.size > 4 * MAX_PIECES:
        raise UnsupportedElement(f"more than {4 * MAX_PIECES} cut points", place=place, mend="merge bins")
    owner = np.full(edges.size + 1, -1)
    for at, piece in enumerate(pieces):
        for lower, upper in piece.region.intervals:
            first = 0 if np.isinf(lower) else int(np.searchsorted(edges, lower)) + 1
            last = edges.size + 1 if np.isinf(upper) else int(np.searchsorted(edges, upper)) + 1
            part = owner[first:last]
            part[part == -1] = at
    bounds = [-np.inf, *edges.tolist(), np.inf]
    steps: list[Step] = []
    for (lower, upper), at in zip(pairwise(bounds), owner.tolist(), strict=True):
        if at == -1:
            raise BinGap(
                f"no predicate holds from {lower:.17g} to {upper:.17g}", place=place, mend="give every value one bin"
            )
        if steps and (steps[-1].value, steps[-1].reason) == (pieces[at].value, pieces[at].reason):
            steps[-1] = Step(steps[-1].lower, upper, pieces[at].value, pieces[at].reason)
        else:
            steps.append(Step(lower, upper, pieces[at].value, pieces[at].reason))
    return tuple(steps)


def _categories(name: str, place: str, known: Field, pieces: Sequence[Piece], missing: float | None) -> Characteristic:
    listed = [*known.values, *sorted({label for piece in pieces for label in piece.region.labels})]
    left, found = dict.fromkeys(listed), dict[str, float]()
    for piece in pieces:
        # Sets are gone through by themselves, so that many small ones stay cheap.
        candidates = list(left) if piece.region.all_but else [label for label in piece.region.labels if label in left]
        for label in candidates:
            if piece.region.has_label(label):
                found[label] = piece.value
                del left[label]
    if left:
        label = next(iter(left))
        raise BinGap(f"no predicate holds for category {label!r}", place=place, mend="give every category one bin")
    labels = {label: found[label] for label in dict.fromkeys(listed)}
    if known.replacement is not None:
        missing = labels.get(known.replacement)
    unseen = next((piece.value for piece in pieces if piece.region.all_but), None)
    if known.invalid_as_missing:
        unseen = missing
    elif known.values and not known.invalid_as_is:
        unseen = None
    cells = MappingProxyType({} if missing is None else {CellKind.MISSING: missing})
    return Characteristic(name, place, (), MappingProxyType(labels), cells, {}, unseen)


def everything_else(value: float) -> Piece:
    return Piece(Region.everything(), value)


def equal_piece(predicate: Element, known: Field, label: str, value: float) -> Piece:
    return Piece(_equal(predicate, known, [label]), value)
