"""zstandard, locked apart from the other tools: only what writes or reads zstd has it in its key."""
