"""How long the market gives the parties, and how much one of them may have open."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketRules:
    hold_seconds: int = 86_400
    """How long a bank keeps a place without an offer."""
    grab_seconds: int = 3_600
    """How long a demand waits to be grabbed before it is assigned."""
    fulfil_seconds: int = 14 * 86_400
    """How long a bank has from the acceptance to the payment out."""
    open_demands: int = 10
    """Demands one enterprise may have open or accepted at a time."""
    open_products: int = 50
    """Products one bank may have open at a time."""
