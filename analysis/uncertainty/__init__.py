"""Uncertainty: what the rows at hand leave to chance."""
