"""Risk sharing: schemes as dated tiers, filings and claims of banks, compensation, recoveries, a double-entry ledger.

Rows are locked in the order loan, filing, positions, usage, accounts. A filing carries the id of its loan.
"""
