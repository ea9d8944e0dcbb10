"""A request the enclave refuses, for a reason the other side may know."""

from xinyidai.reasons import Reason


class Refused(Exception):
    """Raised by the authority and translated at the edge. The message helps the caller and says nothing of a record."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
