"""Images held against what an installer makes of the same lock."""
