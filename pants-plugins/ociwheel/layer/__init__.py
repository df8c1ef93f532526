"""Layers: deterministic tar, compressed, with a descriptor."""
