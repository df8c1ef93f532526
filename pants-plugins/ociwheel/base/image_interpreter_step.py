"""Unpack the Python of an image so that it runs from any folder of a machine of its platform."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.base import image_tree_arguments
from ociwheel.base.image_trees import write_image_interpreter
from ociwheel.base.tree import tree_document


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    image_tree_arguments.add(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the tree and return its document."""
    given = image_tree_arguments.parse(args)
    with tempfile.TemporaryDirectory(prefix="ociwheel-image-") as scratch:
        write_image_interpreter(
            given.image, given.platform, given.minor, Path(scratch), args.output, where=given.where
        )
    return tree_document(args.output)
