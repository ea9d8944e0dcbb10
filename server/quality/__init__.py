"""The quality of the records as the enclaves tell it: aggregates, nothing of any enterprise."""
