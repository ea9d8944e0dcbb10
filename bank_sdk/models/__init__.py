"""Models of a bank: points tables on the public grid, and importers for what banks already have."""
