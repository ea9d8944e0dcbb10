"""Sealed alerts on their way from the enclaves to the banks."""
