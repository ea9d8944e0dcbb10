"""The life of an authorization and of a bank's request for one: states, and every step from one to another.

The table is the whole rule; the enclave takes each step in one transaction, and tells the bank of every change of state
by a signed event (`xinyidai.events`).
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class GrantPhase(StrEnum):
    PENDING = "pending"
    """A bank asked, and the enterprise has not answered."""
    ACTIVE = "active"
    PAUSED = "paused"
    REVOKED = "revoked"
    """Final. Also one that a narrower authorization replaced."""
    EXPIRED = "expired"
    """Its time is over; it can still be revoked, which changes nothing for the bank."""
    REJECTED = "rejected"
    """Final: the enterprise declined a bank's request."""


class Step(StrEnum):
    ACCEPT = "accept"
    REJECT = "reject"
    PAUSE = "pause"
    RESUME = "resume"
    REVOKE = "revoke"
    REPLACE = "replace"
    """A narrower authorization takes the place of this one."""
    LAPSE = "lapse"
    """Its time is over."""


class StepRefused(ValueError):
    """There is no such step from this state; `state` says which one it is in."""

    def __init__(self, state: GrantPhase, step: Step) -> None:
        super().__init__(f"{step} is no step from {state}")
        self.state = state


_P = GrantPhase
STEPS: Final = MappingProxyType(
    {
        (_P.PENDING, Step.ACCEPT): _P.ACTIVE,
        (_P.PENDING, Step.REJECT): _P.REJECTED,
        (_P.PENDING, Step.LAPSE): _P.EXPIRED,
        (_P.ACTIVE, Step.PAUSE): _P.PAUSED,
        (_P.ACTIVE, Step.RESUME): _P.ACTIVE,
        (_P.ACTIVE, Step.REVOKE): _P.REVOKED,
        (_P.ACTIVE, Step.REPLACE): _P.REVOKED,
        (_P.ACTIVE, Step.LAPSE): _P.EXPIRED,
        (_P.PAUSED, Step.PAUSE): _P.PAUSED,
        (_P.PAUSED, Step.RESUME): _P.ACTIVE,
        (_P.PAUSED, Step.REVOKE): _P.REVOKED,
        (_P.PAUSED, Step.REPLACE): _P.REVOKED,
        (_P.PAUSED, Step.LAPSE): _P.EXPIRED,
        # What is over stays over, however late somebody says so.
        (_P.EXPIRED, Step.PAUSE): _P.EXPIRED,
        (_P.EXPIRED, Step.RESUME): _P.EXPIRED,
        (_P.EXPIRED, Step.REVOKE): _P.REVOKED,
        (_P.REVOKED, Step.REVOKE): _P.REVOKED,
        (_P.REJECTED, Step.REJECT): _P.REJECTED,
    }
)
"""(state, step) to the state after it; a pair that is missing is refused."""


def follow(state: GrantPhase, step: Step) -> GrantPhase:
    """The state after a step. Raises `StepRefused`."""
    try:
        return STEPS[state, step]
    except KeyError:
        raise StepRefused(state, step) from None
