"""What the server refuses, and the one place where any error gets the reason it travels under."""

import structlog
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError

log = structlog.get_logger("server.errors")


class Refused(Exception):
    """Something the caller can do something about; translated at the edges.

    Refused
     ├─ RequestInvalid          a parameter is out of its bounds
     ├─ RequestTooLarge
     ├─ Overloaded              try again in a moment
     │   └─ StreamSilent        the caller opened a stream and says nothing
     ├─ AudienceUnknown         the signed document names no enclave of this platform
     ├─ PeerMismatch            the document's issuer is not the party at the other end of the connection
     ├─ EnclaveRefused          the enclave said no; its reason and message are passed on
     ├─ EnclaveUnavailable      the enclave gave no answer
     └─ the errors of each domain, in its errors.py
    """

    reason: Reason = Reason.REQUEST_INVALID


class RequestInvalid(Refused):
    pass


class RequestTooLarge(Refused):
    reason = Reason.REQUEST_TOO_LARGE


class Overloaded(Refused):
    reason = Reason.OVERLOADED


class StreamSilent(Overloaded):
    def __init__(self) -> None:
        super().__init__("nothing came on this stream for too long; open another when there is something to send")


class AudienceUnknown(Refused):
    reason = Reason.AUDIENCE_MISMATCH


class PeerMismatch(Refused):
    reason = Reason.CERTIFICATE_INVALID


class EnclaveUnavailable(Refused):
    reason = Reason.ENCLAVE_UNAVAILABLE


class EnclaveRefused(Refused):
    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def explain(error: Exception) -> tuple[Reason, str]:
    """The reason and message the other side may know. Anything unforeseen is logged here and is "internal" outside."""
    if isinstance(error, Refused | DocumentError):
        return error.reason, str(error)
    log.error("unforeseen error", exc_info=error)
    return Reason.INTERNAL, "the platform failed; it has logged why. Try again later"
