"""Put first-party code into layers of at most --max-size bytes.

As ``source-layer`` does, whose layer it is, digest for digest, where that has room for all; else it is
divided by folders. The layers, one above the other, unpack to the same files. Each has a folder of its own
below --output: 000, 001, and so on. A file whose blob alone is larger is an error: its owner can divide it.
"""

from __future__ import annotations

import argparse
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from ociwheel.errors import LayerError
from ociwheel.formats.entries import Entry
from ociwheel.layer import source_layer_step
from ociwheel.layer.bounded import add_bound, write_bounded
from ociwheel.layer.left_out import LeftOut
from ociwheel.layer.source_layer_step import ORIGIN, entries_of, write_sources
from ociwheel.layer.spool import Spool
from ociwheel.remedies import Remedy


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    source_layer_step.configure(parser)
    add_bound(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layers and return their document.

    :raises LayerError: a file whose layer is larger than one may be.
    """
    left_out = LeftOut()

    def write(part: Sequence[Entry], folder: Path, title: str, told: Container[str]) -> dict[str, Any]:
        # The first layer tells what was left out.
        layer = write_sources(part, folder, args, title=title, left_out=None if ORIGIN in told else left_out)
        size = layer["descriptor"]["size"]
        if size > args.max_size:
            raise LayerError(
                f"it has {size} bytes when it is compressed, more than a layer may have ({args.max_size}), "
                "and no file can be in two layers",
                where=f"/{part[0].path}",
                hint=Remedy("divide-file"),
            )
        return layer

    with Spool(args.output / ".spool") as spool:
        entries = entries_of(args, spool, left_out)
        return write_bounded(entries, args.output, title=args.title, most=args.max_size, write=write)
