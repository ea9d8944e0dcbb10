"""Enterprises whose key an enclave pinned."""
