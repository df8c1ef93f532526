"""Signing what is published, with a key: what cosign verifies."""
