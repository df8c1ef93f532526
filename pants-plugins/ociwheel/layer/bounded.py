"""Layers of a bounded size: what ``wheel-layers``, ``source-layers`` and ``deb-layers`` have in common."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

from ociwheel.documents import document
from ociwheel.errors import UsageError
from ociwheel.formats.entries import Entry, arrange, origins_of
from ociwheel.layer.split import SMALLEST, is_over, split
from ociwheel.notes import tell

Write = Callable[[Sequence[Entry], Path, str, Container[str]], dict[str, Any]]
"""Writes one layer and returns its document: of its entries, into a folder, with a title. The origins are
those that a layer below has told all of that there is to tell."""


def add_bound(parser: argparse.ArgumentParser) -> None:
    """Add the argument that bounds layers."""
    parser.add_argument(
        "--max-size",
        type=int,
        required=True,
        metavar="BYTES",
        help="of a layer's tar, which its blob never exceeds; a larger file has a layer of its own",
    )


def folder_of(output: Path, number: int) -> Path:
    """Return where a layer is written, counted from 0."""
    return output / f"{number:03}"


def write_bounded(
    entries: Sequence[Entry], output: Path, *, title: str, most: int, write: Write
) -> dict[str, Any]:
    """Divide entries among layers, write each, and return the ``ociwheel.layers/1`` document.

    Where one layer has room for all, it is the only one and has the title as it is.

    :param output: gets a folder for each layer: 000, 001, and so on.
    :param most: bytes of a layer.
    :raises UsageError: the bound is too small.
    :raises LayerError: entries that do not make a layer, or that make too many.
    """
    if most < SMALLEST:
        raise UsageError(f"{most} bytes are less than {SMALLEST}", where="--max-size")
    given = {entry.path for entry in entries}
    # What two packages have at odds is told of all files, wherever they go.
    parts = split([entry for entry in arrange(entries) if entry.path in given], most)
    layers = []
    told: set[str] = set()
    for number, part in enumerate(parts):
        named = title if len(parts) == 1 else f"{title}, part {number + 1} of {len(parts)}"
        if is_over(part, most):
            _tell_of(part[0], most)
        layers.append(write(part, folder_of(output, number), named, frozenset(told)))
        told |= origins_of(part)
    return document("layers", {"layers": layers})


def _tell_of(file: Entry, most: int) -> None:
    tell(
        f"{file.origin}: /{file.path} has {file.size()} bytes, more than a layer may have ({most}): "
        "it has a layer of its own"
    )
