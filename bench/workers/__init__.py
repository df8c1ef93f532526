"""Measuring builds on remote workers."""
