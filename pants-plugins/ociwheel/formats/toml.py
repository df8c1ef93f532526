"""Reads small TOML documents of archives, such as ``pyproject.toml``, through the one door for TOML."""

from __future__ import annotations

from typing import Any

from ociwheel.formats.guard import Guard
from ociwheel.reading import Limits
from ociwheel.reading_toml import parse_toml

MOST_BYTES = 1 << 18
"""Bytes of a document: the largest ``pyproject.toml`` of known projects have a fifth of that."""


def read_toml(data: bytes, guard: Guard) -> dict[str, Any]:
    """Return what a document holds.

    :raises OciwheelError: it is no TOML, or beyond a limit.
    """
    try:
        return parse_toml(data, Limits(size=MOST_BYTES))
    except ValueError as e:
        raise guard.refuse(str(e)) from e
