"""Copies of the authorizations that passed, for listing. The enclave is the authority on their state."""
