"""Builds zig's own C and C++ runtime for a target whose builder has none, once for all builds for it.

The output holds ``lib/`` (C library stubs, start files, with ``--cxx`` also libc++) and ``toolchain.json``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.build import toolchain
from ociwheel.build.zig import tree_size
from ociwheel.documents import document
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this step's arguments."""
    parser.add_argument(
        "--zig", type=Path, required=True, metavar="DIR", help="what the zig step made with --runtimes"
    )
    parser.add_argument("--target", type=Path, required=True, metavar="FILE", help="target document")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--cxx", action="store_true", help="with libc++, for builds that hold C++")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build the runtime."""
    target = Target.read(args.target)
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".zig-libc-") as work:
        toolchain.make_runtime(args.zig, target, args.output, Path(work), cxx=args.cxx)
    tree = tree_size(args.output)
    return document("tree", {"files": tree.files, "size": tree.size})
