"""Install wheels into layers of at most --max-size bytes.

As ``wheel-layer`` does. Where one layer has room for all, it is that step's, digest for digest; else whole
distributions are divided among layers, and distributions that are too large by their folders. The layers, one
above the other, unpack to the same files. Each has a folder of its own below --output: 000, 001, and so on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from ociwheel.documents import document
from ociwheel.errors import UsageError
from ociwheel.formats.entries import Entry, arrange
from ociwheel.layer import wheel_layer_step
from ociwheel.layer.split import SMALLEST, is_over, split
from ociwheel.layer.spool import Spool
from ociwheel.layer.wheel_layer_step import install_wheels, write_wheels
from ociwheel.notes import tell


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    wheel_layer_step.configure(parser)
    parser.add_argument(
        "--max-size",
        type=int,
        required=True,
        metavar="BYTES",
        help="of a layer's tar, which its blob never exceeds; a larger file has a layer of its own",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layers and return their document."""
    if args.max_size < SMALLEST:
        raise UsageError(f"{args.max_size} bytes are less than {SMALLEST}", where="--max-size")
    with Spool(args.output / ".spool") as spool:
        installation = install_wheels(args, spool)
        # What two wheels have at odds is told of all files, wherever they go.
        arrange(installation.entries)
        parts = split(installation.entries, args.max_size)
        folders = [args.output / f"{number:03}" for number in range(len(parts))]
        layers = []
        told: set[str] = set()
        for number, (part, folder) in enumerate(zip(parts, folders, strict=True), 1):
            title = args.title if len(parts) == 1 else f"{args.title}, part {number} of {len(parts)}"
            _tell_size(part, args.max_size)
            layers.append(
                write_wheels(installation, part, folder, title=title, compression=args.compression, told=told)
            )
            told.update(entry.origin for entry in part)
    installation.check_machine(folders)
    return document("layers", {"layers": layers})


def _tell_size(part: Sequence[Entry], most: int) -> None:
    if is_over(part, most):
        file = part[0]
        tell(
            f"{file.origin}: /{file.path} has {file.size()} bytes, more than a layer may have ({most}): "
            "it has a layer of its own"
        )
