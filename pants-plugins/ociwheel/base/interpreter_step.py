"""Unpack a Python that runs from any folder, through its own loader: Debian's, or that of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ociwheel.base import source
from ociwheel.base.image_trees import write_image_interpreter
from ociwheel.base.interpreter import write_interpreter
from ociwheel.base.tree import tree_document
from ociwheel.documents import read_document
from ociwheel.platforms import platform

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    source.configure(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the tree and return its document."""
    target = read_document(arguments.target, "target")
    row = platform(target["platform"])
    with source.opened(arguments, row) as given:
        if isinstance(given, source.DebianPackages):
            write_interpreter(given.packages, target, arguments.output)
        else:
            minor = ".".join(str(target["python"]).split(".")[:2])
            write_image_interpreter(
                given.files, row, minor, given.scratch, arguments.output, where=given.where
            )
    return tree_document(arguments.output)
