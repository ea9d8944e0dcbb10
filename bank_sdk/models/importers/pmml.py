"""PMML 4.x: Scorecard, RegressionModel on bins, sums of trees of depth one."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from bank_sdk.errors import NotAdditive, UnknownFormat, UnsupportedObjective
from bank_sdk.models.importers.imports import Import
from bank_sdk.models.importers.markup import Element, parse_xml
from bank_sdk.models.importers.pmml_fields import Fields
from bank_sdk.models.importers.pmml_predicates import (
    PREDICATES,
    Condition,
    Piece,
    equal_piece,
    everything_else,
    read_predicate,
    term,
)
from bank_sdk.models.importers.pmml_regions import Region
from bank_sdk.models.importers.source import RawFile, Readable, read
from bank_sdk.models.importers.terms import Characteristic, Step, Unit, add
from bank_sdk.models.importers.trees import MAX_TREES

_READ: Final = ("Scorecard", "RegressionModel", "MiningModel", "TreeModel")
_SETTINGS: Final = ("useReasonCodes", "reasonCodeAlgorithm", "baselineMethod", "baselineScore")
_MEND_LINK: Final = "export a model of two classes with the logit link"


@dataclass(frozen=True, slots=True)
class _Sum:
    """A model as terms that add up."""

    terms: list[Characteristic]
    base: float = 0.0
    unit: Unit = "points"
    positive: str = ""
    """The class whose log-odds these are."""

    def scaled(self, factor: float, constant: float) -> "_Sum":
        if factor == 1:
            return replace(self, base=self.base + constant)
        return replace(self, terms=[_scaled(t, factor) for t in self.terms], base=factor * self.base + constant)


def from_pmml(document: Readable, *, model_name: str | None = None) -> Import:
    """A PMML document by path or bytes; `model_name` chooses among several models.

    Exact: `<`, `<=`, `>`, `>=`, equality and sets, `and` and `or` over one field, missing values, 32-bit fields,
    `Discretize`, JPMML's `add_eps`; reason codes and baselines are kept. Raises `UnsupportedElement` with the XPath,
    `UnsupportedObjective`, `NotAdditive`, `BinGap`, `SpecialValueUnmapped` or `FileMalformed`.
    """
    return read_file(read(document), model_name)


def read_file(file: RawFile, model_name: str | None = None) -> Import:
    root = parse_xml(file)
    if root.tag != "PMML":
        raise UnknownFormat(f"the root is {root.tag}, not PMML", place=file.name)
    if not root.get("version").startswith("4."):
        root.unsupported(f"version {root.get('version')[:20]!r} is not 4", "export PMML 4.4")
    model = _model(root, model_name)
    fields = Fields.of_document(root)
    found = _read(model, fields)
    notes = (f"log-odds of class {found.positive!r}",) if found.unit == "log_odds" else ()
    settings = {name: model.attributes[name] for name in _SETTINGS if name in model.attributes}
    source = file.source(f"pmml {model.tag}", _application(root))
    return Import(source, found.unit, add(found.terms), found.base, (*notes, *fields.notes), MappingProxyType(settings))


def _model(root: Element, name: str | None) -> Element:
    models = [child for child in root.children if child.first("MiningSchema") is not None]
    chosen = [model for model in models if name is None or model.get("modelName") == name]
    if len(chosen) != 1:
        root.unsupported(f"{len(models)} models, of which {len(chosen)} are meant", "say model_name=")
    return _scorable(chosen[0])


def _scorable(model: Element) -> Element:
    if model.get("isScorable", "true") != "true":
        model.unsupported("the model says it cannot score", "export a model that can")
    return model


def _application(root: Element) -> str:
    header = root.first("Header")
    application = None if header is None else header.first("Application")
    return "" if application is None else f"{application.get('name')} {application.get('version')}".strip()[:80]


def _read(model: Element, fields: Fields) -> _Sum:
    readers = {
        "Scorecard": _scorecard,
        "RegressionModel": _regression,
        "MiningModel": _mining,
        "TreeModel": _single_tree,
    }
    if model.tag not in readers:
        model.unsupported(f"{model.tag} is no additive model that is read", f"export one of {', '.join(_READ)}")
    inner = fields.within(model)
    return _targets(model, readers[model.tag](model, inner))


def _targets(model: Element, found: _Sum) -> _Sum:
    """value * rescaleFactor + rescaleConstant."""
    targets = model.first("Targets")
    target = None if targets is None else targets.first("Target")
    if target is None:
        return found
    if target.attributes.keys() & {"min", "max", "castInteger"}:
        target.unsupported("the result is clipped or cast", "export the model without min, max and castInteger")
    factor, constant = target.number("rescaleFactor", 1.0), target.number("rescaleConstant", 0.0)
    if found.unit == "log_odds" and (factor, constant) != (1.0, 0.0):
        target.unsupported("rescales a probability, not the log-odds", "export the model without rescaling")
    return found.scaled(factor, constant)


def _scorecard(model: Element, fields: Fields) -> _Sum:
    terms = [_characteristic(entry, fields) for entry in model.one("Characteristics").all("Characteristic")]
    return _Sum(terms, model.number("initialScore", 0.0))


def _characteristic(entry: Element, fields: Fields) -> Characteristic:
    pieces, used = [], {}
    for attribute in entry.all("Attribute"):
        if attribute.first("ComplexPartialScore") is not None:
            attribute.one("ComplexPartialScore").unsupported(
                "a partial score that is computed", "give every attribute a constant partialScore"
            )
        condition = read_predicate(attribute, fields)
        if condition.field is not None:
            used[condition.field.variable] = condition.field
        reason = attribute.attributes.get("reasonCode", entry.attributes.get("reasonCode"))
        pieces.append(Piece(condition.region, attribute.number("partialScore"), reason))
    if len(used) != 1:
        fields_used = ", ".join(sorted(used)) or "none"
        entry.unsupported(f"its attributes use the fields {fields_used}", "use one field a characteristic")
    name, known = next(iter(used.items()))
    baseline = entry.number("baselineScore") if "baselineScore" in entry.attributes else None
    return replace(term(name, entry.place, known, pieces), reason=entry.attributes.get("reasonCode"), baseline=baseline)


def _regression(model: Element, fields: Fields) -> _Sum:
    tables = list(model.all("RegressionTable"))
    link, kind = model.get("normalizationMethod", "none"), model.get("functionName")
    if not tables:
        model.malformed("has no RegressionTable")
    if kind == "regression" and len(tables) == 1 and link in ("none", "logit"):
        return _table(tables[0], fields, "points" if link == "none" else "log_odds")
    if kind != "classification" or len(tables) != 2 or link not in ("logit", "softmax"):
        raise UnsupportedObjective(
            f"{kind[:20]} with {len(tables)} tables and link {link[:20]!r} gives no log-odds of two classes",
            place=model.place,
            mend=_MEND_LINK,
        )
    first = _table(tables[0], fields, "log_odds")
    if link == "logit":
        return first
    second = _table(tables[1], fields, "log_odds").scaled(-1.0, 0.0)
    return replace(first, terms=first.terms + second.terms, base=first.base + second.base)


def _table(table: Element, fields: Fields, unit: Unit) -> _Sum:
    groups: dict[str, list[Element]] = {}
    for predictor in table.children:
        if predictor.tag == "CategoricalPredictor":
            groups.setdefault(predictor.need("name"), []).append(predictor)
        elif predictor.tag == "NumericPredictor":
            predictor.unsupported(
                f"{predictor.get('name')[:80]!r} enters as a number: its points change with every value",
                "bin it (KBinsDiscretizer, or WOE bins as a Scorecard) before the regression",
            )
        elif predictor.tag != "Extension":
            predictor.unsupported(f"{predictor.tag} has no counterpart", "use main effects of binned variables")
    terms = [_predictors(name, group, fields) for name, group in groups.items()]
    return _Sum(terms, table.number("intercept"), unit, table.get("targetCategory"))


def _predictors(name: str, group: list[Element], fields: Fields) -> Characteristic:
    known = fields.find(group[0], name)
    pieces = [equal_piece(entry, known, entry.need("value"), entry.number("coefficient")) for entry in group]
    # A value without a coefficient adds 0, and so does a missing one (PMML 4.4, RegressionModel, CategoricalPredictor).
    return term(known.variable, group[0].place, known, [*pieces, everything_else(0.0)])


def _mining(model: Element, fields: Fields) -> _Sum:
    segmentation = model.one("Segmentation")
    method = segmentation.need("multipleModelMethod")
    segments = list(segmentation.all("Segment"))
    for segment in segments:
        if segment.first("True") is None:
            segment.unsupported("the segment applies to some records only", "export one sum of trees")
    if method == "modelChain":
        return _chain(segmentation, segments, fields)
    if method not in ("sum", "average") or not segments or len(segments) > MAX_TREES:
        segmentation.unsupported(f"{len(segments)} models combined by {method[:30]!r}", "export a sum of trees")
    models = [_inner(segment) for segment in segments]
    for inner in models:
        if inner.tag != "TreeModel":
            inner.unsupported(f"a {inner.tag} within a sum", "export a sum of trees")
    deepest = max(models, key=_depth)
    if _depth(deepest) > 1:
        raise NotAdditive(_depth(deepest), (_used(deepest),), place=deepest.place)
    parts = [_targets(inner, _single_tree(inner, fields.within(inner))) for inner in models]
    found = _Sum([t for part in parts for t in part.terms], math.fsum(part.base for part in parts))
    return found.scaled(1 / len(models) if method == "average" else 1.0, 0.0)


def _chain(segmentation: Element, segments: list[Element], fields: Fields) -> _Sum:
    """A model whose output goes through a logit: y = intercept + coefficient * output."""
    if len(segments) != 2:
        segmentation.unsupported(f"a chain of {len(segments)} models", "export one model and its link")
    first, link = _inner(segments[0]), _inner(segments[1])
    output = first.first("Output")
    names = [] if output is None else [entry.need("name") for entry in output.all("OutputField") if _is_value(entry)]
    tables = list(link.all("RegressionTable"))
    predictors = list(tables[0].children) if tables else []
    plain = all(not table.children and table.number("intercept") == 0 for table in tables[1:])
    plain = plain and link.first("Targets") is None
    if link.tag != "RegressionModel" or link.get("normalizationMethod") != "logit" or len(tables) > 2 or not plain:
        raise UnsupportedObjective("the chain does not end in the logit link", place=link.place, mend=_MEND_LINK)
    if len(predictors) != 1 or predictors[0].tag != "NumericPredictor" or predictors[0].get("name") not in names:
        tables[0].unsupported("the link uses more than the output of the first model", _MEND_LINK)
    if predictors[0].number("exponent", 1.0) != 1:
        predictors[0].unsupported("an exponent", _MEND_LINK)
    inner = _read(first, fields)
    if inner.unit != "points":
        raise UnsupportedObjective("the chain puts a link on a probability", place=first.place, mend=_MEND_LINK)
    found = inner.scaled(predictors[0].number("coefficient"), tables[0].number("intercept"))
    return replace(found, unit="log_odds", positive=tables[0].get("targetCategory"))


def _is_value(output: Element) -> bool:
    """Whether an output field is what the model predicts, as it stands."""
    return output.get("feature", "predictedValue") == "predictedValue" and all(
        child.tag == "Extension" for child in output.children
    )


def _inner(segment: Element) -> Element:
    found = segment.first(*_READ)
    if found is None:
        segment.unsupported("holds no model that is read", f"export one of {', '.join(_READ)}")
    return _scorable(found)


def _single_tree(model: Element, fields: Fields) -> _Sum:
    if model.get("functionName") != "regression":
        raise UnsupportedObjective("a tree that votes", place=model.place, mend="export a sum of regression trees")
    if _depth(model) > 1:
        raise NotAdditive(_depth(model), (_used(model),), place=model.place)
    return _Sum(_tree(model, fields))


def _depth(model: Element) -> int:
    def below(node: Element) -> int:
        return max((1 + below(child) for child in node.all("Node")), default=0)

    return below(model.one("Node"))


def _used(model: Element) -> tuple[str, ...]:
    def walk(element: Element) -> Iterator[str]:
        if "field" in element.attributes and element.tag.endswith("Predicate"):
            yield element.attributes["field"]
        for child in element.children:
            yield from walk(child)

    return tuple(sorted(set(walk(model.one("Node")))))


def _tree(model: Element, fields: Fields) -> list[Characteristic]:
    """The root and its children: the first child whose predicate holds, else what the strategy says."""
    root, strategy = model.one("Node"), model.get("missingValueStrategy", "none")
    if strategy not in ("none", "nullPrediction", "defaultChild"):
        model.unsupported(f"missingValueStrategy {strategy[:30]!r}", "export with defaultChild or none")
    if root.first("True") is None:
        root.unsupported("the root holds for some records only", "export plain trees")
    children = list(root.all("Node"))
    conditions = [read_predicate(child, fields) for child in children]
    used = {c.field.variable: c.field for c in conditions if c.field is not None}
    if len(used) > 1:
        raise NotAdditive(1, (tuple(sorted(used)),), place=root.place)
    if not used:
        root.unsupported("a tree that asks nothing", "drop it and add its score to the intercept")
    pieces = [Piece(c.region, child.number("score")) for c, child in zip(conditions, children, strict=True)]
    if model.get("noTrueChildStrategy", "returnNullPrediction") == "returnLastPrediction":
        pieces.append(everything_else(root.number("score")))
    name, known = next(iter(used.items()))
    return [term(name, root.place, known, _with_missing(strategy, root, children, conditions, pieces))]


def _with_missing(
    strategy: str, root: Element, children: list[Element], conditions: list[Condition], pieces: list[Piece]
) -> list[Piece]:
    """A comparison with a missing value is unknown: false by default, or the strategy decides at the first of them,
    whatever the children after it ask."""
    if strategy == "none":
        return pieces
    if any(condition.field is not None and condition.field.bins is not None for condition in conditions):
        root.unsupported("a discretized field with missingValueStrategy", "export with missingValueStrategy none")
    if conditions[0].region.missing:
        return pieces
    if not _compares(children[0].one(*PREDICATES)):
        children[0].unsupported("asks first whether a value is there", "export with missingValueStrategy none")
    if strategy == "nullPrediction":
        return [replace(piece, region=replace(piece.region, missing=False)) for piece in pieces]
    chosen = [p for p, child in zip(pieces, children, strict=False) if child.get("id") == root.need("defaultChild")]
    if not chosen:
        root.malformed("has no child of the name defaultChild says")
    return [replace(chosen[0], region=Region.missing_only()), *pieces]


def _compares(predicate: Element) -> bool:
    """Whether it is unknown, and not false, for a missing value."""
    if predicate.tag == "CompoundPredicate":
        return all(_compares(part) for part in predicate.children if part.tag != "Extension")
    return predicate.tag == "SimpleSetPredicate" or (
        predicate.tag == "SimplePredicate" and predicate.get("operator") not in ("isMissing", "isNotMissing")
    )


def _scaled(entry: Characteristic, factor: float) -> Characteristic:
    return replace(
        entry,
        steps=tuple(Step(step.lower, step.upper, factor * step.value, step.reason) for step in entry.steps),
        labels={label: factor * value for label, value in entry.labels.items()},
        cells={kind: factor * value for kind, value in entry.cells.items()},
        other=None if entry.other is None else factor * entry.other,
    )
