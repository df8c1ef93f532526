"""Folders that outlive a step, and may only grow so far: what was not used for longest goes first."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path


def trim(folder: Path, most: int, unused: float | None = None) -> None:
    """Remove of a folder's files those that were not used for longest, until it has at most ``most`` bytes.

    Other steps may remove some meanwhile; whatever cannot be removed stays.

    :param unused: seconds after which a file that was not used goes in any case.
    """
    found = []
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                found.append((about.st_mtime, about.st_size, entry.path))
        left = most
        for used, size, path in sorted(found, reverse=True):
            left -= size
            if left < 0 or (unused is not None and used < time.time() - unused):
                Path(path).unlink(missing_ok=True)
