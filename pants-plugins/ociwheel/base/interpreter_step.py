"""Unpack a Python that runs from any folder, through its own loader: Debian's, or that of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ociwheel.base import source
from ociwheel.base.image_trees import write_image_interpreter
from ociwheel.base.interpreter import write_interpreter
from ociwheel.base.tree import tree_document
from ociwheel.target import Target

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    source.configure(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the tree and return its document."""
    target = Target.read(arguments.target)
    with source.opened(arguments, target.platform) as given:
        if isinstance(given, source.DebianPackages):
            write_interpreter(given.packages, target, arguments.output)
        else:
            row, minor = target.platform, target.python_minor
            write_image_interpreter(
                given.files, row, minor, given.scratch, arguments.output, where=given.where, path=given.python
            )
    return tree_document(arguments.output)
