"""How long sessions last and how many failures are borne."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountRules:
    """Seconds, but for `failures`."""

    idle: int = 1_800
    absolute: int = 43_200
    challenge: int = 300
    enrolment: int = 7 * 86_400
    failures: int = 5
    """Failed sign-ins to one account from one address within `window` that lock it for that address."""
    window: int = 900
    lock: int = 900


def digest_of(secret: str) -> str:
    """Hex SHA-256: for secrets of 128 bits and more, which need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
