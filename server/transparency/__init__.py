"""Cosignatures of witnesses on the checkpoints of the enclaves' logs, for whoever wants to read them."""
