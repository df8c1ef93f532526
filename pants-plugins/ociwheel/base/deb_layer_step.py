"""Unpack Debian packages into a layer, without running their scripts."""

from __future__ import annotations

import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base.account_rows import add_rows, read_rows
from ociwheel.base.deb_layer import bytecode_entries, content, layer_entries, without_interpreter
from ociwheel.debian.deb import read_debs
from ociwheel.errors import UsageError
from ociwheel.formats.entries import origins_of
from ociwheel.layer.packages import deb_row, system_rows
from ociwheel.layer.writer import write_layer
from ociwheel.notes import tell

if TYPE_CHECKING:
    import argparse
    from collections.abc import Container, Iterator, Sequence

    from ociwheel.debian.deb import Package
    from ociwheel.formats.entries import Entry
    from ociwheel.image.users import Rows


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments, which ``deb-layers`` has too."""
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
    add_rows(parser)
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the blob to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    with unpacked(arguments) as (packages, entries, accounts):
        return write_debs(
            packages,
            entries,
            arguments.output,
            title=arguments.title,
            compression=arguments.compression,
            accounts=accounts,
        )


@contextmanager
def unpacked(
    arguments: argparse.Namespace,
) -> Iterator[tuple[tuple[Package, ...], list[Entry], dict[str, list[str]]]]:
    """Give the packages that a step was given, the entries of a layer with them, and its accounts."""
    with tempfile.TemporaryDirectory(prefix="ociwheel-debs-") as scratch:
        packages = read_debs(arguments.debs, Path(scratch))
        below = read_rows(arguments.accounts)
        entries, unknown, accounts = layer_entries(packages, arguments.accept_scripts, below)
        for one in unknown:
            tell(one.note())
        for line in without_interpreter(entries, arguments.accept_scripts):
            tell(line)
        if arguments.bytecode != "none":
            _check_interpreter(arguments.python_minor)
            entries += bytecode_entries(tuple(entries), arguments.python_minor)
        yield packages, entries, accounts


def write_debs(
    packages: Sequence[Package],
    entries: Sequence[Entry],
    output: Path,
    *,
    title: str,
    compression: str,
    accounts: Rows,
    told: Container[str] = (),
) -> dict[str, Any]:
    """Write a layer of packages and return its document.

    :param packages: all, of which the layer may hold some.
    :param accounts: the rows of passwd and group that an image with it needs.
    :param told: origins that another layer has already told what they say of themselves.
    """
    origins = origins_of(entries)
    here = [one for one in packages if content(one).origin in origins]
    new = [one for one in here if content(one).origin not in told]
    return write_layer(
        entries,
        output,
        title=title,
        contents=[content(one) for one in here],
        packages=[*(deb_row(one.control) for one in new), *system_rows(entries)],
        compression=compression,
        accounts=accounts,
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
