"""Errors at the edge: what the other side may know of one, by one table."""

import structlog
from xinyidai.framing import FrameError
from xinyidai.reasons import Reason
from xinyidai.signing import DocumentError
from xinyidai.status import WireError

from enclave.errors import Refused
from enclave.rpc.translation import translated as _translated_by

log = structlog.get_logger("enclave.rpc")


def wire_error(error: Exception) -> WireError:
    """What the other side may know of an error. Anything unforeseen is logged here and is only "internal" outside."""
    if isinstance(error, Refused | DocumentError):
        return WireError(error.reason, str(error))
    if isinstance(error, FrameError):
        return WireError(Reason(error.reason), str(error))
    log.error("unforeseen error", exc_info=error)
    return WireError(Reason.INTERNAL, "the enclave failed; it has logged why. Try again later")


translated = _translated_by(wire_error)
