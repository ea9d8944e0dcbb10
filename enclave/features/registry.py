"""Which code computes a feature: a module named by the category, or a field read as it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

import ibis
from xinyidai.catalogue import Catalogue, CatalogueError, Category, Feature, builtin_catalogue

from enclave.features.direct import build_direct
from enclave.features.tables import Tables
from enclave.features.windows import Clock


class FeatureModule(Protocol):
    """A module of this package that is named by the code of a built-in category."""

    def build(self, tables: Tables, clock: Clock) -> ibis.Table:
        """One row for everyone in `tables.enterprises`: `uscc`, a float column a feature where NULL is missing, and
        where a feature can be not applicable a boolean column `<feature>__na`."""
        ...


class NoFeatureRule(CatalogueError):
    """A catalogue asks for a feature that nothing here computes."""


@dataclass(frozen=True, slots=True)
class CategoryPlan:
    """How one category's features come about; `module` is None when all of them are fields."""

    category: Category
    module: FeatureModule | None
    computed: tuple[Feature, ...]
    direct: tuple[Feature, ...]

    def tables(self, tables: Tables, clock: Clock) -> Sequence[ibis.Table]:
        """The expressions that hold the category's features; none of them executed yet."""
        found = []
        if self.module is not None:
            found.append(self.module.build(tables, clock))
        if self.direct:
            found.append(build_direct(tables, self.category.code, self.direct))
        return found


def plan(catalogue: Catalogue) -> tuple[CategoryPlan, ...]:
    """Find the rule of every feature, in catalogue order. Raises `NoFeatureRule` before any record is read."""
    return tuple(_plan_category(catalogue, category) for category in catalogue.categories)


def _plan_category(catalogue: Catalogue, category: Category) -> CategoryPlan:
    direct = tuple(feature for feature in category.features if feature.field is not None)
    computed = tuple(feature for feature in category.features if feature.field is None)
    for feature in computed:
        _check_computable(catalogue, category, feature)
    module = cast(FeatureModule, import_module(f"enclave.features.{category.code}")) if computed else None
    return CategoryPlan(category, module, computed, direct)


def _check_computable(catalogue: Catalogue, category: Category, feature: Feature) -> None:
    """A module computes the features that the built-in catalogue defines, from the fields it defines."""
    builtin = builtin_catalogue()
    known = {found.code: found for found in builtin.features}.get(feature.code)
    if known is None or known.category != category.code:
        raise NoFeatureRule(feature.code, "has no rule here; give it a `field`, or leave it out")
    if (known.definition, known.unit, known.sources) != (feature.definition, feature.unit, feature.sources):
        raise NoFeatureRule(feature.code, "is defined otherwise than the rule of this name here; give it another code")
    for code in known.figures:
        if code not in feature.figures or catalogue.figure(code).unit != builtin.figure(code).unit:
            raise NoFeatureRule(feature.code, f"is computed with the figure {code}; name it, in the unit it has here")
    for source in feature.sources:
        offered = {(field.name, field.type, field.unit) for field in catalogue.category(source).fields}
        needed = {(field.name, field.type, field.unit) for field in builtin.category(source).fields}
        if not needed <= offered:
            raise NoFeatureRule(feature.code, f"needs fields that {source} lacks in this catalogue")
