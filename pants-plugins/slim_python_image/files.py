"""Files that several rules, daemons or threads may write at once: each is whole, or as it was before."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def _beside(path: Path) -> Path:
    """Return a name in the same folder that nobody else uses: a process has several threads that write."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file that only its owner reads, where it has other bytes or is not there.

    :raises OSError: it cannot be written; nothing is left beside it.
    """
    if path.is_file() and path.read_bytes() == data:
        return
    temporary = _beside(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def replace_link(path: Path, target: str | None) -> None:
    """Make a symbolic link to ``target`` where it leads elsewhere or is not there; ``None`` takes it away."""
    if target is None:
        path.unlink(missing_ok=True)
        return
    if path.is_symlink() and os.readlink(path) == target:
        return
    temporary = _beside(path)
    temporary.symlink_to(target)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
