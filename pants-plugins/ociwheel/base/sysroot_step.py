"""Unpack builder packages into a sysroot for a cross compiler."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.sysroot import write_sysroot
from ociwheel.base.tree import tree_document
from ociwheel.debian.deb import check_architecture, read_debs
from ociwheel.documents import read_document
from ociwheel.platforms import platform

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--debs", type=Path, required=True, help="the folder with the packages")
    parser.add_argument("--target", type=Path, required=True, help="the target document")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the tree to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the sysroot and return its document."""
    row = platform(read_document(arguments.target, "target")["platform"])
    with tempfile.TemporaryDirectory(prefix="ociwheel-debs-") as scratch:
        packages = read_debs(arguments.debs, Path(scratch))
        check_architecture(packages, row)
        write_sysroot(packages, arguments.output)
    return tree_document(arguments.output)
