"""What a step says while it works: on standard error, because standard output is its document."""

from __future__ import annotations

import sys

from ociwheel.errors import redact


def note(text: str) -> None:
    """Write one line for the user; credentials in URLs are left out."""
    sys.stderr.write(f"note: {redact(text)}\n")
