"""The enclave's account of itself: an append-only log of commitments, acknowledgements, and lists of states."""
