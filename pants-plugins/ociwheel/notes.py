"""What a step says while it works: on standard error, because standard output is its document."""

from __future__ import annotations

import sys

from ociwheel.wording import shown


def note(text: str) -> None:
    """Write one line for the user, as :func:`shown` makes it."""
    sys.stderr.write(f"note: {shown(text)}\n")


def warn(text: str) -> None:
    """Write one line that whoever runs the step passes on to the user."""
    sys.stderr.write(f"warning: {shown(text)}\n")
