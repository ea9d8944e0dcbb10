"""Loans after the offer was accepted: what banks report, what follows from it, and what enterprises confirm.

A loan carries the id of the offer it grew from, so an offer is at most one loan.
"""
