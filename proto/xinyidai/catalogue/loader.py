"""From bytes to a `Catalogue`, checking every rule; the only way to make one."""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Any, Final

import yaml

from xinyidai.catalogue.errors import CatalogueError
from xinyidai.catalogue.model import (
    Application,
    Catalogue,
    Category,
    Direction,
    Feature,
    FeatureKind,
    Field,
    Figure,
    Publicity,
    Rule,
    Step,
    Text,
)
from xinyidai.catalogue.rules import check_catalogue, check_name

MAX_BYTES: Final = 4 * 1024 * 1024
_MAX_DEPTH: Final = 12


class _Loader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):  # type: ignore[misc]
    """YAML without what makes it dangerous or ambiguous: no anchors, no repeated keys, no deep nesting."""


def _unique_mapping(loader: Any, node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise CatalogueError(f"line {key_node.start_mark.line + 1}", "keys must be texts")
        if key in found:
            raise CatalogueError(f"line {key_node.start_mark.line + 1}", "this key occurs twice")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


# YAML 1.1 takes 1e-05 for a text; JSON, which is what travels, writes numbers so.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def read_yaml(raw: bytes) -> Any:
    """The one document of a file of public data. Raises `CatalogueError`."""
    depth = 0
    try:
        text = raw.decode()
        for event in yaml.parse(text, Loader=_Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _MAX_DEPTH or isinstance(event, yaml.AliasEvent):
                raise CatalogueError(
                    f"line {getattr(event.start_mark, 'line', 0) + 1}", "nested too deep, or an alias; write it out"
                )
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a subclass of the safe loader)
    except (
        yaml.YAMLError,
        UnicodeDecodeError,
        ValueError,
        RecursionError,
        AttributeError,
        TypeError,
    ) as error:
        if isinstance(error, CatalogueError):
            raise
        raise CatalogueError("file", "not YAML or JSON in UTF-8") from error


def parse_catalogue(raw: bytes) -> Catalogue:
    """A catalogue from YAML or canonical JSON, at most 4 MiB. Raises `CatalogueError` and nothing else."""
    if len(raw) > MAX_BYTES:
        raise CatalogueError("file", f"larger than {MAX_BYTES} bytes")
    document = read_yaml(raw)
    top = _Node("catalogue", document)
    top.only("code", "version", "profile", "title", "provenance", "rules", "figures", "common_fields", "categories")
    try:
        canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        encoded = canonical.encode()
    except (TypeError, ValueError) as error:
        raise CatalogueError("file", "holds a value JSON cannot carry, such as a bare date; quote it") from error
    catalogue = Catalogue(
        code=top.text("code"),
        version=top.text("version"),
        title=top.bilingual("title"),
        provenance=top.text("provenance", most=20_000),
        common_fields=tuple(_field(node) for node in top.nodes("common_fields")),
        rules=tuple(_rule(node) for node in top.nodes("rules", default=[])),
        figures=tuple(_figure(node) for node in top.nodes("figures", default=[])),
        categories=tuple(_category(i + 1, node) for i, node in enumerate(top.nodes("categories"))),
        canonical=encoded,
    )
    check_catalogue(catalogue, top.optional("profile"))
    return catalogue


def load_catalogue(path: Path) -> Catalogue:
    """Read and parse a file. Raises `CatalogueError` (also when it cannot be read)."""
    try:
        with path.open("rb") as file:
            return parse_catalogue(file.read(MAX_BYTES + 1))
    except OSError as error:
        raise CatalogueError(path.name, f"cannot be read: {error.strerror}") from error


@cache
def builtin_catalogue() -> Catalogue:
    """The 21 categories of this project (xinyidai.yaml)."""
    return parse_catalogue(files("xinyidai.catalogue").joinpath("xinyidai.yaml").read_bytes())


class _Node:
    """A mapping of the file, with its place, so that errors say where."""

    def __init__(self, where: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise CatalogueError(where, "must be a mapping")
        self.where, self.value = where, value

    def only(self, *names: str) -> None:
        for name in self.value:
            if name not in names:
                raise CatalogueError(f"{self.where}.{name}"[:200], "unknown key; known: " + ", ".join(names))

    def text(self, name: str, *, most: int = 2_000) -> str:
        value = self.value.get(name)
        if not isinstance(value, str) or not 1 <= len(value) <= most:
            raise CatalogueError(f"{self.where}.{name}", f"must be a text of 1 to {most} characters")
        return value

    def optional(self, name: str) -> str | None:
        return self.text(name) if name in self.value else None

    def bilingual(self, name: str) -> Text:
        node = _Node(f"{self.where}.{name}", self.value.get(name))
        node.only("zh", "en")
        return Text(node.text("zh"), node.text("en"))

    def flag(self, name: str) -> bool:
        value = self.value.get(name, False)
        if not isinstance(value, bool):
            raise CatalogueError(f"{self.where}.{name}", "must be true or false")
        return value

    def integer(self, name: str) -> int:
        value = self.value.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 1000:
            raise CatalogueError(f"{self.where}.{name}", "must be an integer from 0 to 1000")
        return value

    def items(self, name: str, default: list[Any] | None = None) -> list[Any]:
        value = self.value.get(name, default)
        if not isinstance(value, list) or len(value) > MAX_BYTES // 1024:
            raise CatalogueError(f"{self.where}.{name}", "must be a list of acceptable length")
        return value

    def nodes(self, name: str, default: list[Any] | None = None) -> list["_Node"]:
        return [_Node(f"{self.where}.{name}[{i}]", v) for i, v in enumerate(self.items(name, default))]

    def texts(self, name: str, default: list[Any] | None = None) -> tuple[str, ...]:
        values = self.items(name, default)
        if any(not isinstance(v, str) or not v for v in values):
            raise CatalogueError(f"{self.where}.{name}", "must hold texts")
        return tuple(values)

    def numbers(self, name: str, default: list[Any] | None = None) -> tuple[float, ...]:
        values = self.items(name, default)
        if any(not isinstance(v, int | float) or isinstance(v, bool) or abs(v) > 1e300 for v in values):
            raise CatalogueError(f"{self.where}.{name}", "must hold numbers")
        if any(not isfinite(v) for v in values):
            raise CatalogueError(f"{self.where}.{name}", "must hold finite numbers")
        return tuple(float(v) for v in values)

    def number(self, name: str) -> float:
        value = self.value.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= 1e300:
            raise CatalogueError(f"{self.where}.{name}", "must be a finite number")
        return float(value)

    def months(self, name: str) -> tuple[tuple[str, int], ...]:
        """A mapping of texts to numbers of months, in the order of the file; empty when absent."""
        if name not in self.value:
            return ()
        node = _Node(f"{self.where}.{name}", self.value[name])
        return tuple((key, node.integer(key)) for key in node.value)

    def member(self, name: str, kind: Callable[[str], Any]) -> Any:
        try:
            return kind(self.text(name))
        except ValueError as error:
            if isinstance(error, CatalogueError):
                raise
            raise CatalogueError(f"{self.where}.{name}", "is not one of the known values") from error


def _field(node: _Node) -> Field:
    node.only("name", "type", "unit", "values", "evidence")
    return Field(
        name=check_name(node.where, node.text("name")),
        type=node.text("type"),
        unit=node.optional("unit"),
        values=node.texts("values", default=[]),
        evidence=node.text("evidence"),
    )


def _rule(node: _Node) -> Rule:
    node.only("code", "text", "effective", "source", "applies")
    code = check_name(node.where, node.text("code"))
    applies = tuple(_application(found) for found in node.nodes("applies", default=[]))
    return Rule(code, node.text("text"), node.text("effective"), node.text("source"), applies)


def _application(node: _Node) -> Application:
    node.only("category", "repaired", "end", "begin", "severity", "most_months")
    category, repaired, publicity = node.text("category"), node.optional("repaired"), None
    if repaired is None:
        months = node.months("most_months")
        publicity = Publicity(node.text("end"), node.optional("begin"), node.optional("severity"), months)
    elif {"end", "begin", "severity", "most_months"} & set(node.value):
        raise CatalogueError(node.where, "says either which field tells of a repair, or how publicity ends")
    return Application(category, repaired, publicity)


def _figure(node: _Node) -> Figure:
    node.only("code", "text", "unit", "source", "recalled", "steps")
    steps = []
    for found in node.nodes("steps"):
        found.only("from", "value")
        steps.append(Step(found.text("from"), found.number("value")))
    return Figure(
        code=check_name(node.where, node.text("code")),
        text=node.text("text"),
        unit=node.text("unit"),
        source=node.text("source"),
        recalled=node.flag("recalled"),
        steps=tuple(steps),
    )


def _category(number: int, node: _Node) -> Category:
    node.only(
        "code", "group", "title", "holders", "provenance", "cadence", "lag_months", "sensitivity", "sharing",
        "hits_only", "attests_coverage", "evidence", "fields", "features",
    )  # fmt: skip
    code = check_name(node.where, node.text("code"))
    return Category(
        number=number,
        code=code,
        group=node.optional("group"),
        title=node.bilingual("title"),
        holders=node.texts("holders"),
        provenance=node.text("provenance"),
        cadence=node.text("cadence"),
        lag_months=node.integer("lag_months"),
        sensitivity=node.text("sensitivity"),
        sharing=node.text("sharing"),
        hits_only=node.flag("hits_only"),
        attests_coverage=node.flag("attests_coverage"),
        evidence=node.text("evidence"),
        fields=tuple(_field(f) for f in node.nodes("fields")),
        features=tuple(_feature(code, f) for f in node.nodes("features")),
    )


def _feature(category: str, node: _Node) -> Feature:
    node.only(
        "code", "title", "definition", "unit", "direction", "kind", "window", "sources", "edges", "anchored", "grid",
        "field", "figures", "evidence",
    )  # fmt: skip
    grid = node.numbers("grid")
    return Feature(
        code=check_name(node.where, node.text("code")),
        category=category,
        title=node.bilingual("title"),
        definition=node.text("definition"),
        unit=node.text("unit"),
        direction=node.member("direction", Direction),
        kind=node.member("kind", FeatureKind) if "kind" in node.value else FeatureKind.CONTINUOUS,
        window=node.text("window"),
        sources=(category, *node.texts("sources", default=[])),
        edges=node.numbers("edges", default=list(grid)),
        anchored=node.numbers("anchored", default=[]),
        grid=grid,
        field=node.optional("field"),
        figures=node.texts("figures", default=[]),
        evidence=node.text("evidence"),
    )
