"""Fetch and unpack the libraries that other steps import, as ociwheel/tools.lock pins them.

The result is the same on every machine: it holds the native libraries of all of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.toolbox import make_toolbox, read_tools
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder to fill: lib/, native/TAG/"
    )
    parser.add_argument(
        "--with",
        dest="extra",
        action="append",
        choices=["pip", "zstd"],
        default=[],
        help="also unpack pip to DIR/pip (for lock generation), or zstandard beside the other native "
        "libraries (for layers compressed with zstd); may be repeated",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the toolbox."""
    tools = read_tools(with_pip="pip" in args.extra, with_zstd="zstd" in args.extra)
    files, size = make_toolbox(IndexClient(settings.load()), tools, args.output)
    return document("tree", {"files": files, "size": size})
