"""How long the market gives the parties."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketRules:
    hold_seconds: int = 86_400
    """How long a bank keeps a place without an offer."""
    grab_seconds: int = 3_600
    """How long a demand waits to be grabbed before it is assigned."""
