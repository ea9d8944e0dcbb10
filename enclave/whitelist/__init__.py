"""The white list: opt-ins, demands and subscriptions as their parties signed them, and the lists made of them."""
