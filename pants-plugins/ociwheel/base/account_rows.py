"""The file that tells a step which accounts layers of packages bring."""

from __future__ import annotations

import argparse
from pathlib import Path

from ociwheel.documents import read_json
from ociwheel.errors import UsageError
from ociwheel.image.users import Rows


def add_rows(parser: argparse.ArgumentParser) -> None:
    """Add the argument."""
    parser.add_argument(
        "--accounts", type=Path, metavar="FILE",
        help="a JSON object: rows of `passwd` and `group` that layers of packages below bring",
    )  # fmt: skip


def read_rows(path: Path | None) -> Rows | None:
    """Return the rows of the file, ``None`` without one.

    :raises UsageError: it is none of that form.
    """
    if path is None:
        return None
    value = read_json(path)
    if not isinstance(value, dict) or not all(
        isinstance(rows, list) and all(isinstance(row, str) for row in rows) for rows in value.values()
    ):
        raise UsageError("expected rows of `passwd` and `group`", where=str(path))
    return value
