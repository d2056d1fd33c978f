"""Measurements: what the README's numbers come from."""
