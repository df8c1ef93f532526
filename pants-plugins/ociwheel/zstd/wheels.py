"""Where the lock of the compressor's wheels stands."""

from pathlib import Path

# In a package of its own: data beside `tools.lock` would be in the key of every step.
ZSTD_LOCK = Path(__file__).resolve().parent / "tools.lock"
