"""Arguments that layer steps share."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ociwheel.target import Target

CHECKED = "checked-hash"
"""Bytecode that the interpreter takes only when the source is the one it was made from (PEP 552)."""


def add_common(parser: argparse.ArgumentParser) -> None:
    """Add what ``wheel-layer`` and ``source-layer`` have in common."""
    parser.add_argument(
        "--target", type=Path, required=True, metavar="FILE", help="ociwheel.target/1 document"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets blobs/ and layer-facts.json"
    )
    parser.add_argument("--prefix", default="/app", help="virtual environment in the image (default: /app)")
    parser.add_argument(
        "--bytecode",
        choices=("unchecked-hash", CHECKED, "none"),
        default="unchecked-hash",
        help="add .pyc files, for which the step must run under the target's Python "
        "version (default: unchecked-hash)",
    )
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files: a name (*.md), or with a slash a path below site-packages (pkg/tests/*); "
        "may be repeated",
    )
    parser.add_argument(
        "--compression", choices=("gzip", "zstd"), default="gzip", help="of the layer's blob (default: gzip)"
    )


def cache_tag(args: argparse.Namespace, target: Target) -> str | None:
    """Return the cache tag of the bytecode to make, ``None`` for none.

    :raises UsageError: bytecode is asked for, and the running Python is not the target's.
    """
    if args.bytecode == "none":
        return None
    target.require_running_python(", or with --bytecode none")
    return sys.implementation.cache_tag
