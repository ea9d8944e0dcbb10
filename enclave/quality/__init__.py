"""How good the records are: seven measures by category, source and month, as aggregates that name nobody."""
