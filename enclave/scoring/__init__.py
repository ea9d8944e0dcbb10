"""Evaluation under encryption: pure functions from residues, cells and a mask key to an answer."""
