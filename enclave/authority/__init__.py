"""Who may ask what: keys, authorizations, models, requests, and the ledger. Takes nobody's word for anything."""
