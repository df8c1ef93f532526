"""Base images of container registries: resolved by tag once, then known by digest."""
