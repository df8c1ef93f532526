"""What a step says while it works: on standard error, because standard output is its document."""

from __future__ import annotations

import sys

from ociwheel.wording import shown

_MOST_TOLD = 100
_told: list[str] = []


def note(text: str) -> None:
    """Write one line for who runs the step, as :func:`shown` makes it."""
    sys.stderr.write(f"note: {shown(text)}\n")


def warn(text: str) -> None:
    """Write one line that whoever runs the step passes on to the user."""
    sys.stderr.write(f"warning: {shown(text)}\n")


def tell(text: str) -> None:
    """Write one line that belongs to the result: it stands in the document, also where that is from a cache.

    Only what follows from the step's input may be told.
    """
    note(text)
    if len(_told) < _MOST_TOLD:
        _told.append(shown(text))


def take_told() -> list[str]:
    """Return what was told since the last time, each line once."""
    told = list(dict.fromkeys(_told))
    _told.clear()
    return told
