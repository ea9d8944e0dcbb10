"""Registered models and assessments that passed: ids and times, never a point or a score."""
