"""Install wheels into layers of at most --max-size bytes.

As ``wheel-layer`` does. Where one layer has room for all, it is that step's, digest for digest; else whole
distributions are divided among layers, and distributions that are too large by their folders. The layers, one
above the other, unpack to the same files. Each has a folder of its own below --output: 000, 001, and so on.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from ociwheel.formats.entries import Entry
from ociwheel.layer import wheel_layer_step
from ociwheel.layer.bounded import add_bound, folder_of, write_bounded
from ociwheel.layer.spool import Spool
from ociwheel.layer.wheel_layer_step import install_wheels, write_wheels


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    wheel_layer_step.configure(parser)
    add_bound(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layers and return their document."""
    with Spool(args.output / ".spool") as spool:
        installation = install_wheels(args, spool)

        def write(part: Sequence[Entry], folder: Path, title: str, told: Container[str]) -> dict[str, Any]:
            compression = args.compression
            return write_wheels(installation, part, folder, title=title, compression=compression, told=told)

        result = write_bounded(
            installation.entries, args.output, title=args.title, most=args.max_size, write=write
        )
    installation.check_machine(folder_of(args.output, number) for number in range(len(result["layers"])))
    return result
