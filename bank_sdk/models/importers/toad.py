"""Cards of toad: the dict that `ScoreCard.export()` gives, or its JSON."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bank_sdk.errors import AmbiguousCategory
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.labels import Variable, read_interval, split_known
from bank_sdk.models.importers.source import Item, Source, parse_json, read
from bank_sdk.models.importers.terms import Characteristic

_NOTE: Final = (
    "toad exports points with 2 decimals: the fitted object's own scores differ from this file by up to {:.4g}"
)
Vocabulary = Mapping[str, Sequence[str]]


def from_toad(card: Any, *, vocabulary: Vocabulary | None = None) -> Import:
    """A dict, or JSON by path or bytes, of variable -> bin -> points.

    `nan` is the missing cell, `else` an unseen category. Categories are joined by commas, so a label with a comma is
    refused unless `vocabulary`, by variable all its categories, allows exactly one reading. The export holds no PDO,
    base score or odds: give `plan` a scale for probabilities. Raises an `ImportRefused`, `BinGap` or `BinOverlap`.
    """
    if isinstance(card, Mapping):
        return read_document(Item(card, "card"), Source("toad card"), vocabulary or {})
    file = read(card)
    return read_document(Item(parse_json(file), file.name), file.source("toad card"), vocabulary or {})


def read_document(card: Item, source: Source, vocabulary: Vocabulary) -> Import:
    found = tuple(_variable(name, bins, vocabulary) for name, bins in card.fields())
    return Import(source, "points", found, notes=(_NOTE.format(0.005 * len(found)),))


def _variable(name: str, bins: Item, vocabulary: Vocabulary) -> Characteristic:
    variable = Variable(name, bins.place)
    for label, item in bins.fields():
        value, bounds = item.number(), read_interval(label, bins.place)
        if bounds is not None:
            variable.interval(bounds, value)
        elif label == "nan":
            variable.set_missing(value)
        elif label == "else":
            variable.other = value
        else:
            for category in _categories(label, bins.place, vocabulary.get(name)):
                variable.category(category, value)
    return variable.finish()


def _categories(label: str, place: str, vocabulary: Sequence[str] | None) -> tuple[str, ...]:
    if vocabulary is None and "," not in label:
        return (label,)
    ways = [] if vocabulary is None else split_known(label, ",", vocabulary)
    if len(ways) == 1:
        return ways[0]
    raise AmbiguousCategory(
        f"{label!r} can be one category or several joined by commas"
        if vocabulary is None
        else f"{label!r} can be read from the vocabulary in {'several ways' if ways else 'no way'}",
        place=place,
        mend="give all categories of the variable: vocabulary={variable: [...]}",
    )


def looks_like(document: Any) -> bool:
    """Whether a parsed JSON document has the shape of an export."""
    return (
        isinstance(document, Mapping)
        and bool(document)
        and all(isinstance(bins, Mapping) and bins for bins in document.values())
        and all(isinstance(value, int | float) for bins in document.values() for value in bins.values())
    )
