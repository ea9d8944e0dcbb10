"""ReceiptUnreadable: the refusal of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class ReceiptUnreadable(Refused):
    """An enclave's receipt is not what the contract says; nothing was stored."""

    reason = Reason.INTERNAL
