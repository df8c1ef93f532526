"""Numbers of bytes as people write and read them."""

from __future__ import annotations

import re

_UNITS = {
    "": 1,
    "B": 1,
    **{f"{letter}iB": 1024**power for power, letter in enumerate("KMGT", 1)},
    **{f"{letter}B": 1000**power for power, letter in enumerate("kMGT", 1)},
}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([A-Za-z]*)")
EXPECTED = "a number of bytes, such as '512MiB', '1.5GB' or '536870912'"


def parse_size(text: str) -> int:
    """Return the bytes that a text such as ``512MiB`` means.

    :raises ValueError: it is no such text.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError(text)
    return int(float(found[1]) * _UNITS[found[2]])


def mebibytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 2**20:.1f} MiB"
