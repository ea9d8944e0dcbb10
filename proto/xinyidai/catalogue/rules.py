"""The rules a catalogue must keep: those of every file, and those of the profile it names."""

import re
from datetime import date
from itertools import pairwise
from typing import Final

from xinyidai.catalogue.errors import CatalogueError
from xinyidai.catalogue.model import (
    ARROW_TYPES,
    MAX_CELLS,
    Application,
    Catalogue,
    Category,
    Feature,
    FeatureKind,
    Field,
    Figure,
    Publicity,
    Rule,
)

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_EVIDENCE: Final = re.compile(r"[SRP](\+[SRP])*")
_MONTH: Final = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_NUMERIC: Final = ("int", "dec")
_SENSITIVITIES: Final = ("S1", "S2", "S3", "S4")
_SHARING: Final = ("collect", "interface", "verify", "compute")
_PERSONAL: Final = re.compile(
    r"(person|legal_rep|natural|resident)_?(id|name|phone|address)|id_card|id_number|mobile|phone|home_address"
)
"""Field names that would identify a natural person."""
_PLAN_CATEGORIES: Final = (
    "social_insurance",
    "housing_fund",
    "water_usage",
    "electricity_usage",
    "gas_usage",
)


def check_name(where: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CatalogueError(where, "a code is 1 to 64 characters of a-z, 0-9 and _, beginning with a letter")
    return name


def check_catalogue(catalogue: Catalogue, profile: str | None) -> None:
    """Raises `CatalogueError` at the first broken rule."""
    check_name("catalogue.code", catalogue.code.replace("-", "_"))
    if not re.fullmatch(r"[0-9A-Za-z.-]{1,32}", catalogue.version):
        raise CatalogueError("catalogue.version", "is 1 to 32 letters, digits, dots and hyphens")
    _distinct("categories", [c.code for c in catalogue.categories])
    _distinct("features", [f.code for f in catalogue.features])
    known = {c.code for c in catalogue.categories}
    _check_fields("common_fields", catalogue.common_fields)
    for category in catalogue.categories:
        _check_category(category)
        for feature in category.features:
            _check_feature(category, feature, known)
    _distinct("rules", [rule.code for rule in catalogue.rules])
    categories = {c.code: c for c in catalogue.categories}
    for rule in catalogue.rules:
        _check_rule(rule, categories)
    _check_figures(catalogue)
    if not catalogue.features:
        raise CatalogueError("catalogue", "has no feature")
    if catalogue.layout.size > MAX_CELLS:
        raise CatalogueError("catalogue", f"has {catalogue.layout.size} cells; all cells together fit {MAX_CELLS}")
    if profile == "xinyidai-21":
        _check_the_21(catalogue)
    elif profile is not None:
        raise CatalogueError("catalogue.profile", "is unknown; known: xinyidai-21")


def _check_the_21(catalogue: Catalogue) -> None:
    codes = [c.code for c in catalogue.categories]
    if len(codes) != 21:
        raise CatalogueError("categories", f"the profile has exactly 21 categories, here are {len(codes)}")
    for code in _PLAN_CATEGORIES:
        if code not in codes:
            raise CatalogueError("categories", f"the city's plan names {code}")
    for feature in catalogue.features:
        if feature.kind is FeatureKind.CONTINUOUS and not 7 <= len(feature.edges) <= 15:
            raise CatalogueError(feature.code, "a continuous feature has 7 to 15 policy edges")


def _distinct(where: str, codes: list[str]) -> None:
    seen: set[str] = set()
    for code in codes:
        if code in seen:
            raise CatalogueError(where, f"{code} occurs twice")
        seen.add(code)


def _check_fields(where: str, fields: tuple[Field, ...]) -> None:
    _distinct(where, [f.name for f in fields])
    for field in fields:
        place = f"{where}.{field.name}"
        if field.type not in ARROW_TYPES:
            raise CatalogueError(place, "type is one of " + ", ".join(ARROW_TYPES))
        if field.type in _NUMERIC and field.unit is None:
            raise CatalogueError(place, "a number needs a unit")
        if (field.type == "enum") != bool(field.values):
            raise CatalogueError(place, "an enum lists its values, and nothing else does")
        if not _EVIDENCE.fullmatch(field.evidence):
            raise CatalogueError(place, "evidence is S, R or P")
        if _PERSONAL.search(field.name):
            raise CatalogueError(place, "identifies a natural person; such fields are not taken")


def _check_category(category: Category) -> None:
    where = category.code
    if not category.holders:
        raise CatalogueError(where, "needs at least one holder")
    if category.sensitivity not in _SENSITIVITIES:
        raise CatalogueError(where, "sensitivity is one of " + ", ".join(_SENSITIVITIES))
    if category.sharing not in _SHARING:
        raise CatalogueError(where, "sharing is one of " + ", ".join(_SHARING))
    if not _EVIDENCE.fullmatch(category.evidence):
        raise CatalogueError(where, "evidence is S, R or P")
    if category.attests_coverage and not category.hits_only:
        raise CatalogueError(where, "only a table of hits attests coverage")
    _check_fields(where, category.fields)


def _check_feature(category: Category, feature: Feature, known: set[str]) -> None:
    where = feature.code
    for values, what in ((feature.edges, "edges"), (feature.grid, "grid")):
        if any(a >= b for a, b in pairwise(values)):
            raise CatalogueError(f"{where}.{what}", "must rise strictly")
    if not feature.grid:
        raise CatalogueError(f"{where}.grid", "needs at least one edge")
    for values, what in ((feature.edges, "edges"), (feature.anchored, "anchored")):
        if not set(values) <= set(feature.grid):
            raise CatalogueError(f"{where}.{what}", "must all stand on the grid")
    _distinct(f"{where}.sources", list(feature.sources))
    if not set(feature.sources) <= known:
        raise CatalogueError(f"{where}.sources", "names a category this catalogue lacks")
    if not _EVIDENCE.fullmatch(feature.evidence):
        raise CatalogueError(where, "evidence is S, R or P")
    if feature.field is not None and feature.field not in {f.name for f in category.fields if f.type in _NUMERIC}:
        raise CatalogueError(f"{where}.field", "names no numeric field of its category")


def _check_rule(rule: Rule, categories: dict[str, Category]) -> None:
    where = f"rules.{rule.code}"
    try:
        day = date.fromisoformat(rule.effective).isoformat()
    except ValueError:
        day = ""
    if day != rule.effective:
        raise CatalogueError(f"{where}.effective", "must be a date such as 2026-04-01")
    _distinct(f"{where}.applies", [applied.category for applied in rule.applies])
    for applied in rule.applies:
        if applied.category not in categories:
            raise CatalogueError(f"{where}.applies", "names a category this catalogue lacks")
        _check_application(where, applied, categories[applied.category])


def _check_figures(catalogue: Catalogue) -> None:
    _distinct("figures", [figure.code for figure in catalogue.figures])
    for figure in catalogue.figures:
        _check_figure(figure)
    known = {figure.code for figure in catalogue.figures}
    for feature in catalogue.features:
        if not set(feature.figures) <= known:
            raise CatalogueError(f"{feature.code}.figures", "names a figure this catalogue lacks")


def _check_figure(figure: Figure) -> None:
    where = f"figures.{figure.code}.steps"
    if not figure.steps:
        raise CatalogueError(where, "needs at least one value")
    if not all(_MONTH.fullmatch(step.first) for step in figure.steps):
        raise CatalogueError(where, "from is a month such as 2025-01")
    if any(one.first >= other.first for one, other in pairwise(figure.steps)):
        raise CatalogueError(where, "must rise strictly by month")
    if any(step.value <= 0 for step in figure.steps):
        raise CatalogueError(where, "a value is above 0, since features divide by it")


def _check_application(where: str, applied: Application, category: Category) -> None:
    fields = {field.name: field for field in category.fields}

    def check(name: str | None, kind: str) -> None:
        if name is not None and (name not in fields or fields[name].type != kind):
            raise CatalogueError(f"{where}.{category.code}", f"names no {kind} field of the category")

    check(applied.repaired, "bool")
    if applied.publicity is not None:
        check(applied.publicity.end, "date")
        check(applied.publicity.begin, "date")
        check(applied.publicity.severity, "enum")
        _check_longest(f"{where}.{category.code}", applied.publicity, fields)


def _check_longest(where: str, publicity: Publicity, fields: dict[str, Field]) -> None:
    if not (publicity.begin is None) == (publicity.severity is None) == (not publicity.most_months):
        raise CatalogueError(where, "a longest period needs begin, severity and most_months together")
    if publicity.severity is None:
        return
    named = [value for value, _ in publicity.most_months]
    if sorted(named) != sorted(fields[publicity.severity].values):
        raise CatalogueError(where, "most_months names every value of the severity once")
    if any(months < 1 for _, months in publicity.most_months):
        raise CatalogueError(where, "a longest period is at least one month")
