"""Make the image of a container that compiles for its own platform, from Debian packages.

The output is an OCI layout of one platform. It is not meant for a registry: only the emulate step loads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.build_container import container_entries
from ociwheel.base.source import packages
from ociwheel.base.tree import tree_document
from ociwheel.image.container import write_container_image
from ociwheel.layer.writer import Content, write_layer
from ociwheel.target import Target

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--debs", type=Path, required=True, help="the folder with the packages")
    parser.add_argument(
        "--target", type=Path, required=True, help="the target document; its Python runs this"
    )
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the layout to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layout and return its document."""
    target = Target.read(arguments.target)
    target.require_running_python()
    with packages(arguments.debs, target.platform) as found:
        layer = write_layer(
            container_entries(found, target),
            arguments.output,
            title="compiler",
            contents=[Content("deb", package.name, package.version) for package in found],
        )
    for name in ("layer-facts.json", "layer-names.json"):
        (arguments.output / name).unlink()
    write_container_image(layer, target.platform, arguments.output)
    return tree_document(arguments.output)
