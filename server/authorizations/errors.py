"""StateUnknown: the refusal of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class StateUnknown(Refused):
    """An enclave reported a state this version does not know."""

    reason = Reason.INTERNAL
