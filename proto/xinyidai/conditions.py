"""Public data that speaks about cells: one strict reader, and conditions at edges of a feature's grid."""

import json
from bisect import bisect_left
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

from xinyidai.catalogue import Catalogue, CatalogueError, Feature, Text
from xinyidai.catalogue.loader import read_yaml
from xinyidai.signing import Claims, DocumentMalformed


@dataclass(frozen=True, slots=True)
class PublicData:
    """A file of public rules, with the digest by which signed documents name it."""

    code: str
    version: int
    digest: str
    """Hex SHA-256 of the canonical JSON."""
    members: Claims

    @property
    def reference(self) -> str:
        return f"{self.code}@{self.version}"


def parse_public_data(raw: bytes) -> PublicData:
    """From YAML or JSON. Raises `CatalogueError`."""
    document = read_yaml(raw)
    if not isinstance(document, dict):
        raise CatalogueError("file", "holds no mapping")
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    members = Claims(document)
    try:
        code, version = members.text("code", most=64), members.integer("version", 1, 1_000_000)
    except DocumentMalformed as error:
        raise CatalogueError("file", str(error)) from error
    return PublicData(code, version, sha256(canonical.encode()).hexdigest(), members)


def read_public_data(package: str, name: str) -> PublicData:
    """One of the files that belong to this package."""
    return parse_public_data(files(package).joinpath(name).read_bytes())


def bilingual(claims: Claims, name: str) -> Text:
    """Raises `DocumentMalformed`."""
    value = claims.members.get(name)
    if not isinstance(value, dict):
        raise DocumentMalformed(f"member {name} must hold zh and en")
    both = Claims(value).only("zh", "en")
    return Text(both.text("zh"), both.text("en"))


def number(value: Any, name: str) -> float:
    """Raises `DocumentMalformed`."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DocumentMalformed(f"{name} must be a number")
    return float(value)


def at_edge(feature: Feature, value: float) -> int:
    """The first value cell from an edge of the grid upwards. Raises `CatalogueError` for what is no edge."""
    at = bisect_left(feature.grid, value)
    if at == len(feature.grid) or feature.grid[at] != value:
        raise CatalogueError(feature.code, f"{value:g} is not on the public grid")
    return at + 1


@dataclass(frozen=True, slots=True)
class Condition:
    """True for the value cells from `first`, included, to `end`, excluded; never for a cell that is no value."""

    feature: str
    sources: tuple[str, ...]
    """Categories the feature reads."""
    at: int
    """Where the feature stands in the catalogue."""
    first: int
    end: int

    def holds(self, cell: int) -> bool:
        return self.first <= cell < self.end


def read_condition(claims: Claims, catalogue: Catalogue) -> Condition:
    """Of `feature` and one of `from` and `below`. Raises `DocumentMalformed`, `CatalogueError`."""
    feature = catalogue.feature(claims.text("feature", most=64))
    at = next(i for i, entry in enumerate(catalogue.features) if entry.code == feature.code)
    if ("from" in claims.members) == ("below" in claims.members):
        raise DocumentMalformed("a condition has one of from and below")
    if "from" in claims.members:
        first = at_edge(feature, number(claims.members["from"], "from"))
        return Condition(feature.code, feature.sources, at, first, feature.missing)
    end = at_edge(feature, number(claims.members["below"], "below"))
    return Condition(feature.code, feature.sources, at, 0, end)
