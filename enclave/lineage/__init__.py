"""Which records made a feature: found by computing it again without them, with the code that computed it."""
