"""EndpointInvalid, EventsUnreadable: the refusals of this domain."""

from xinyidai.reasons import Reason

from server.errors import Refused


class EndpointInvalid(Refused):
    """Not an address that events can be pushed to."""


class EventsUnreadable(Refused):
    """An enclave sent something else than events in their order; nothing was stored."""

    reason = Reason.INTERNAL
