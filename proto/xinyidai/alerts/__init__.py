"""Monitoring after the loan: public rules on risk events, and what the enclave tells a bank about them."""
