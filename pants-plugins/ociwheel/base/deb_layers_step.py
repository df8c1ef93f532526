"""Unpack Debian packages into layers of at most --max-size bytes, without running their scripts.

As ``deb-layer`` does, whose layer it is, digest for digest, where that has room for all; else whole packages
are divided among layers, and packages that are too large by their folders. The layers, one above the other,
unpack to the same files. Each has a folder of its own below --output: 000, 001, and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ociwheel.base import deb_layer_step
from ociwheel.base.deb_layer_step import unpacked, write_debs
from ociwheel.layer.bounded import add_bound, write_bounded

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Sequence
    from pathlib import Path

    from ociwheel.formats.entries import Entry


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    deb_layer_step.configure(parser)
    add_bound(parser)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layers and return their document."""
    with unpacked(arguments) as (packages, entries, accounts):

        def write(part: Sequence[Entry], folder: Path, title: str, told: Container[str]) -> dict[str, Any]:
            compression = arguments.compression
            return write_debs(
                packages, part, folder, title=title, compression=compression, accounts=accounts, told=told
            )

        return write_bounded(
            entries, arguments.output, title=arguments.title, most=arguments.max_size, write=write
        )
