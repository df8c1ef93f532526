"""Unpack a builder image into a sysroot for a cross compiler; nothing of it is run."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.base import image_tree_arguments
from ociwheel.base.image_trees import write_image_sysroot
from ociwheel.base.tree import tree_document


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    image_tree_arguments.add(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the sysroot and return its document."""
    given = image_tree_arguments.parse(args)
    with tempfile.TemporaryDirectory(prefix="ociwheel-image-") as scratch:
        write_image_sysroot(given.image, Path(scratch), args.output, given.where)
    return tree_document(args.output)
