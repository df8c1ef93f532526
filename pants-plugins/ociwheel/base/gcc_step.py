"""Unpack Debian's own gcc for a target, which a build calls in place of clang where its settings say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.gcc import write_gcc
from ociwheel.base.source import packages
from ociwheel.base.tree import tree_document
from ociwheel.target import Target

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--debs", type=Path, required=True, help="the folder with the packages")
    parser.add_argument(
        "--target", type=Path, required=True, help="target document of the machine that builds"
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the tree to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the tree and return its document."""
    row = Target.read(arguments.target).platform
    with packages(arguments.debs, row) as found:
        write_gcc(found, arguments.output)
    return tree_document(arguments.output)
