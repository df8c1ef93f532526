"""Measures what compiling for a foreign platform costs: cross, and in an emulated container."""
