"""What this domain refuses."""

from xinyidai.reasons import Reason

from server.errors import Refused


class NotSubscribed(Refused):
    reason = Reason.SUBSCRIPTION_UNKNOWN

    def __init__(self) -> None:
        super().__init__("this bank has not subscribed to the white list")


class ListNotReady(Refused):
    reason = Reason.WHITE_LIST_NOT_READY

    def __init__(self) -> None:
        super().__init__("no list stands at the moment; a new one is being made")
