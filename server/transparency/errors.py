"""CosignatureRefused: the refusal of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class CosignatureRefused(Refused):
    """Not of a witness of this platform, or dated in the future."""

    reason = Reason.REQUEST_INVALID
