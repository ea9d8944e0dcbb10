"""A witness: watches that an enclave's log only ever grows, and says so by its signature."""

from clients.witness.witness import Observed, Witness

__all__ = ["Observed", "Witness"]
