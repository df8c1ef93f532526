"""Rules: one module per box of the design."""
