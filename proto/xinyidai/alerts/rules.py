"""The rules on risk events, compiled for a catalogue, and how many bits an alert can tell at most."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from math import comb
from typing import Final

from xinyidai.authorization import Disclosure
from xinyidai.catalogue import Catalogue, CatalogueError, Text
from xinyidai.conditions import Condition, PublicData, bilingual, read_condition, read_public_data
from xinyidai.signing import Claims, DocumentMalformed

MOST_NAMED: Final = 3
"""The gravest rules an alert by category names."""
_MOST: Final = 128


class Level(StrEnum):
    NONE = "none"
    BLUE = "blue"
    """Look."""
    YELLOW = "yellow"
    """Act."""
    RED = "red"
    """Act at once."""


_GRAVEST_FIRST: Final = (Level.RED, Level.YELLOW, Level.BLUE)


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    level: Level
    condition: Condition
    title: Text
    source: str


@dataclass(frozen=True, slots=True)
class Finding:
    level: Level
    rules: tuple[str, ...]
    """The gravest, at most `MOST_NAMED`; empty unless the authorization discloses by category."""


@dataclass(frozen=True, slots=True)
class RiskRules:
    reference: str
    digest: str
    rules: tuple[Rule, ...]

    def within(self, categories: Collection[str]) -> tuple[Rule, ...]:
        """Rules on features that read nothing outside the categories, the gravest first."""
        allowed = [rule for rule in self.rules if set(rule.condition.sources) <= set(categories)]
        return tuple(sorted(allowed, key=lambda rule: _GRAVEST_FIRST.index(rule.level)))

    def examine(self, row: Sequence[int], categories: Collection[str], disclosure: Disclosure) -> Finding:
        """`row`: the cell of each feature of the catalogue."""
        met = [rule for rule in self.within(categories) if rule.condition.holds(int(row[rule.condition.at]))]
        level = met[0].level if met else Level.NONE
        named = met[:MOST_NAMED] if disclosure is Disclosure.BY_CATEGORY else []
        return Finding(level, tuple(rule.name for rule in named))

    def centibits(self, categories: Collection[str], disclosure: Disclosure) -> int:
        """Hundredths of a bit one alert can tell at most: the logarithm of how many different ones there are, rounded
        up by exact integers. By category, an alert is a set of at most `MOST_NAMED` rules, which gives the level."""
        count = len(self.within(categories))
        if disclosure is not Disclosure.BY_CATEGORY:
            return centibits_of(len(Level))
        return centibits_of(sum(comb(count, named) for named in range(min(count, MOST_NAMED) + 1)))


def centibits_of(messages: int) -> int:
    """The least c with 2^(c/100) >= messages."""
    return int((messages**100 - 1).bit_length())


@cache
def public_data() -> PublicData:
    return read_public_data("xinyidai.alerts", "rules.yaml")


def titles() -> dict[str, Text]:
    """Of every rule in force, by its name."""
    return {entry.text("id"): bilingual(entry, "title") for entry in public_data().members.objects("rules", most=_MOST)}


def risk_rules(catalogue: Catalogue) -> RiskRules:
    """Those in force. Raises `CatalogueError` for a catalogue that lacks their features or edges."""
    return compile_rules(public_data(), catalogue)


def compile_rules(data: PublicData, catalogue: Catalogue) -> RiskRules:
    """Raises `CatalogueError`."""
    try:
        data.members.only("code", "version", "provenance", "rules")
        rules = tuple(_rule(entry, catalogue) for entry in data.members.objects("rules", most=_MOST))
    except DocumentMalformed as error:
        raise CatalogueError(data.reference, str(error)) from error
    if len({rule.name for rule in rules}) != len(rules):
        raise CatalogueError(data.reference, "a rule occurs twice")
    return RiskRules(data.reference, data.digest, rules)


def _rule(claims: Claims, catalogue: Catalogue) -> Rule:
    claims.only("id", "level", "feature", "from", "below", "title", "source")
    try:
        level = Level(claims.text("level", most=16))
    except DocumentMalformed:
        raise
    except ValueError as error:
        raise DocumentMalformed("level is red, yellow or blue") from error
    if level is Level.NONE:
        raise DocumentMalformed("level is red, yellow or blue")
    condition = read_condition(claims, catalogue)
    return Rule(claims.text("id", most=64), level, condition, bilingual(claims, "title"), claims.text("source"))
