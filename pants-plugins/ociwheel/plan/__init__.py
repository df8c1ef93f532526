"""The choice of one artifact per distribution."""
