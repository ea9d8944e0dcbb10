"""OperatorUnnamed: the refusal of this domain."""

from server.errors import Refused


class OperatorUnnamed(Refused):
    """Whoever looks at objections says who they are."""
