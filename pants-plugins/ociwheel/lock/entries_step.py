"""Read a lockfile: hash-pinned requirements.txt, Pex's JSON, uv.lock or pylock.toml."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document
from ociwheel.errors import LockError
from ociwheel.lock import formats
from ociwheel.reading import LIMITS, bytes_of
from ociwheel.remedies import Remedy


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--lockfile", required=True, type=Path, metavar="FILE", help="the lockfile")
    parser.add_argument("--label", metavar="PATH", help="its name in messages (default: FILE)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the lockfile."""
    label = args.label or str(args.lockfile)
    try:
        data = bytes_of(args.lockfile, LIMITS.size)
    except OSError as e:
        raise LockError(f"cannot read it: {e.strerror}", where=label, hint=Remedy("write-lock")) from e
    except ValueError as e:
        raise LockError(str(e), where=label) from e
    lock = formats.parse(data, label)
    return document(
        "lock-entries",
        {
            "format": lock.format,
            "python": [list(alternatives) for alternatives in formats.python_of(lock.format, data)],
            "entries": [entry.to_json() for entry in lock.entries],
            "overridden": list(lock.overridden),
            "excluded": list(lock.excluded),
        },
    )
