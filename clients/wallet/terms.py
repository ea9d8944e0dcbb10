"""What an enterprise grants, before it becomes a document."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What an enterprise grants. `categories` empty: all of the catalogue."""

    bank: str
    purpose: str = "loan_origination"
    categories: tuple[str, ...] = ()
    days: int = 31
    max_assessments: int = 1
    by_category: bool = False
    precision_points: int | None = None
    """None: exact for the total, about 4 bits a category by category."""
    loan_days: int | None = None
    """Days until the loan ends, where the purpose needs it."""
