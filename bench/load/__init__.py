"""Measures what builds cost as repositories and wheels grow."""
