"""Lockfiles, read into one shape."""
