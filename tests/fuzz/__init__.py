"""Hostile input for every door of the core: no exception but ours, bounded time and memory, nothing outside."""
