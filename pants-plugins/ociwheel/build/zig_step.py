"""Unpacks the compiler (zig: clang and lld) from its wheel.

The output holds ``zig`` and ``lib/``; it runs from any folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.build import zig
from ociwheel.documents import document


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    parser.add_argument("--wheel", type=Path, required=True, metavar="FILE", help="the ziglang wheel")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--runtimes",
        action="store_true",
        help="with the sources of zig's own C and C++ runtimes, for zig-libc",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Unpack the wheel."""
    tree = zig.unpack(args.wheel, args.output, runtimes=args.runtimes)
    return document("tree", {"files": tree.files, "size": tree.size})
