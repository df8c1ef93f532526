"""Keeps what services measure, and answers questions about it."""
