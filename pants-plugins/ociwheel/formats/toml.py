"""Reads small TOML documents of others, such as ``pyproject.toml``. Specification: TOML 1.0.0."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from ociwheel.formats.guard import Guard

MOST_BYTES = 1 << 18
"""Bytes of a document: the largest ``pyproject.toml`` of known projects have a fifth of that."""
_MOST_KEY_PARTS = 32
# tomllib takes quadratic time and memory over the parts of a key.
_LONG_KEY = re.compile(
    rf"""(?<![\w-])(?:(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){{{_MOST_KEY_PARTS}}}"""
)


def read_toml(data: bytes, guard: Guard) -> dict[str, Any]:
    """Return what a document holds.

    :raises OciwheelError: it is no TOML, or beyond a limit.
    """
    if len(data) > MOST_BYTES:
        raise guard.refuse(f"has {len(data)} bytes, more than {MOST_BYTES}")
    # A RecursionError, among others, and a ValueError for numbers of too many digits.
    with guard.reading("is not TOML"):
        text = data.decode("utf-8")
        if _LONG_KEY.search(text):
            raise guard.refuse(f"has a key of more than {_MOST_KEY_PARTS} parts")
        return tomllib.loads(text)
