"""Tree ensembles as a file states them: log-odds are a base plus a factor times the sum of the leaves."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.source import RawFile, Source
from bank_sdk.models.importers.terms import Characteristic, Step, add
from bank_sdk.models.importers.trees import Tree, fold

ReadEnsemble = Callable[[RawFile], "Ensemble"]


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Of the class the model predicts. The leaves are the bank's secret: printing shows none."""

    source: Source
    trees: Iterable[Tree] = field(repr=False)
    """Untrusted: nodes may point anywhere."""
    base: float = field(repr=False)
    factor: float
    notes: tuple[str, ...]


def additive(ensemble: Ensemble) -> Import:
    """Where every tree asks about one feature. Raises `NotAdditive` or `FileMalformed`."""
    terms, constant = fold(ensemble.trees)
    factor = ensemble.factor
    characteristics = tuple(_scaled(term, factor) for term in add(terms))
    return Import(ensemble.source, "log_odds", characteristics, ensemble.base + factor * constant, ensemble.notes)


def _scaled(term: Characteristic, factor: float) -> Characteristic:
    return Characteristic(
        term.name,
        term.place,
        tuple(Step(step.lower, step.upper, factor * step.value) for step in term.steps),
        {label: factor * value for label, value in term.labels.items()},
        {kind: factor * value for kind, value in term.cells.items()},
        {},
        None if term.other is None else factor * term.other,
    )
