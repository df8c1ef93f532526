"""Unpack Debian packages into a layer, without running their scripts."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.deb_layer import bytecode_entries, contents, layer_entries, without_interpreter
from ociwheel.debian.deb import read_debs
from ociwheel.errors import UsageError
from ociwheel.layer.packages import deb_row, system_rows
from ociwheel.layer.writer import write_layer
from ociwheel.notes import tell

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--debs", type=Path, required=True, help="the folder with the packages")
    parser.add_argument("--title", required=True, help="the layer's title")
    parser.add_argument("--python-minor", help="the image's Python, 3.11; needed with --bytecode")
    parser.add_argument(
        "--bytecode",
        choices=("none", "unchecked-hash"),
        default="none",
        help="compile the standard library; the step must then run under that Python",
    )
    parser.add_argument(
        "--accept-scripts", action="append", default=[], metavar="PACKAGE",
        help="what this package's maintainer scripts would do is not needed: say nothing of it",
    )  # fmt: skip
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the blob to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    with tempfile.TemporaryDirectory(prefix="ociwheel-debs-") as scratch:
        packages = read_debs(arguments.debs, Path(scratch))
        entries, unknown = layer_entries(packages, arguments.accept_scripts)
        for one in unknown:
            tell(one.note())
        for line in without_interpreter(entries, arguments.accept_scripts):
            tell(line)
        if arguments.bytecode != "none":
            _check_interpreter(arguments.python_minor)
            entries += bytecode_entries(tuple(entries), arguments.python_minor)
        return write_layer(
            entries,
            arguments.output,
            title=arguments.title,
            contents=contents(packages),
            packages=[*(deb_row(one.control) for one in packages), *system_rows(entries)],
            compression=arguments.compression,
        )


def _check_interpreter(minor: str | None) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    if minor is None:
        raise UsageError("--bytecode needs --python-minor")
    if minor != running:
        raise UsageError(
            f"bytecode for Python {minor} can only be made by Python {minor}, this is {running}",
            hint="run the step under the base's own interpreter, or without --bytecode",
        )
