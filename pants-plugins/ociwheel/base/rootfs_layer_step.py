"""Write the layer of users, folders, the loader's cache and the empty virtual environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.account_rows import add_rows, read_rows
from ociwheel.base.rootfs import rootfs_entries
from ociwheel.documents import read_document
from ociwheel.layer.writer import Content, write_layer
from ociwheel.target import Target

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--target", type=Path, required=True, help="the target document")
    parser.add_argument("--prefix", default="/app", help="where the virtual environment lies")
    parser.add_argument(
        "--facts", type=Path, action="append", default=[], metavar="FILE",
        help="layer-facts.json of a layer of packages, for what ldconfig would make",
    )  # fmt: skip
    add_rows(parser)
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the blob to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    target = Target.read(arguments.target)
    return write_layer(
        rootfs_entries(
            target,
            arguments.prefix,
            [read_document(path, "layer-facts") for path in arguments.facts],
            read_rows(arguments.accounts),
        ),
        arguments.output,
        title="users and folders",
        contents=[Content("rootfs", "rootfs", "1")],
        compression=arguments.compression,
    )
