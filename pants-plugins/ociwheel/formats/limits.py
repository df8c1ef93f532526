"""How much of anything a file of others may have. One value, so that nobody has limits of their own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from ociwheel.errors import UsageError

VARIABLE = "OCIWHEEL_LIMITS"
"""The variable that raises limits: ``ratio=1000 total_bytes=64000000000``."""
MB = 1 << 20
CHUNK_BYTES = 1 << 18
"""Bytes that are held at once of what is copied."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one archive. What is beyond is refused, with the name of the limit to raise."""

    entries: int = 2_000_000
    entry_bytes: int = 32 << 30
    """Bytes of one unpacked file."""
    total_bytes: int = 32 << 30
    """Bytes of everything unpacked: the largest published layers have half of that."""
    ratio: int = 150
    """Unpacked bytes for one packed byte; real archives stay below 50."""
    free_bytes: int = 48 * MB
    """Unpacked bytes for which ``ratio`` does not count."""
    nesting: int = 128
    """Folders above a file."""
    name_bytes: int = 2048
    """Characters of a path or of a link's text: half of PATH_MAX of Linux, the rest is for the folder."""
    header_bytes: int = 1 * MB
    """Bytes of one extended header."""
    headers_ratio: int = 16
    """Bytes of a tar's headers for one packed byte, beyond the first 4 MB."""
    memory_bytes: int = 66 * MB
    """Bytes that a decompressor may ask for, beyond ten times its input: ``xz -9`` takes 65 MB."""

    def unpacked(self, packed: int) -> int:
        """Return the bytes that ``packed`` bytes may become."""
        return min(self.total_bytes, max(self.free_bytes, self.ratio * packed))

    def headers(self, packed: int) -> int:
        """Return the bytes of headers that ``packed`` bytes may hold."""
        return 4 * MB + self.headers_ratio * packed

    def decompressor(self, packed: int) -> int:
        """Return the bytes of memory that a decompressor of ``packed`` bytes may take."""
        return self.memory_bytes + 10 * packed


def from_environment(environment: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits, those that :data:`VARIABLE` names raised or lowered.

    :raises UsageError: it names an unknown one, or gives no number.
    """
    known = {field.name for field in fields(Limits)}
    changed: dict[str, int] = {}
    for item in environment.get(VARIABLE, "").split():
        name, _, value = item.partition("=")
        if name not in known or not value.isdecimal() or len(value) > 18:
            raise UsageError(
                f"{item[:80]!r} is no limit",
                where=VARIABLE,
                hint=f"write NAME=NUMBER; the names are {', '.join(sorted(known))}",
            )
        changed[name] = int(value)
    return replace(Limits(), **changed)
