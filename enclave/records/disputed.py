"""A disputed record, as whoever makes a snapshot is told of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Disputed:
    """A record that its enterprise disputes, or disputed rightly."""

    category: str
    enterprise: str
    record_id: str
    until: int | None
    """Versions received up to here stay out (seconds since 1970-01-01 UTC); None: every version, as it is undecided."""
