"""Unpack what a cross compiler needs of builder packages, or of a builder image; nothing of them is run.

The document's ``runtime`` says whether there are libc and the runtime of a gcc to link to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ociwheel.base import source
from ociwheel.base.image_trees import write_image_sysroot
from ociwheel.base.sysroot import write_sysroot
from ociwheel.base.sysroot_runtime import find_runtime
from ociwheel.base.tree import tree_document
from ociwheel.target import Target

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    source.configure(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the sysroot and return its document."""
    row = Target.read(arguments.target).platform
    with source.opened(arguments, row) as given:
        if isinstance(given, source.DebianPackages):
            write_sysroot(given.packages, arguments.output)
        else:
            write_image_sysroot(given.files, given.scratch, arguments.output, given.where, given.python)
    runtime = find_runtime(arguments.output, row.triplet) is not None
    return {**tree_document(arguments.output), "runtime": runtime}
