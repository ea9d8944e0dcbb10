"""EnterpriseInvalid: the refusal of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class EnterpriseInvalid(Refused):
    """The text is no unified social credit code."""

    reason = Reason.USCC_INVALID
