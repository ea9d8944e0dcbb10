"""The white list as the platform carries it: who subscribed, what enterprises signed, and lists it cannot read."""
