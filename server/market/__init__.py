"""The financing market: products of banks, demands of enterprises, and how they come together.

Every change begins with the one UPDATE that takes its demand in a state that allows it, so whoever comes second finds
another state. Rows are locked in the order demand, places, offers, product, notices, so no two transactions wait for
each other.
"""
