"""Run the base's own programs that make files of what other packages brought, and put these into a layer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ociwheel.base import source
from ociwheel.build.made_files import make_files
from ociwheel.build.root import host_platform
from ociwheel.errors import ToolError
from ociwheel.layer.writer import Content, write_layer
from ociwheel.platforms import platform

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument(
        "--debs", type=Path, required=True, help="the base's packages, of this machine's platform"
    )
    parser.add_argument("--platform", required=True, help="the image's, linux/arm64")
    parser.add_argument("--tools", type=Path, help="what the build-programs step made")
    parser.add_argument(
        "--accept-scripts",
        action="append",
        default=[],
        metavar="PACKAGE",
        help="run no program of this package",
    )
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write the blob to")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the layer, which is empty where there is nothing to make, and return its document."""
    host = host_platform()
    if host is None:
        raise ToolError("no base is made for this machine, so it runs no program of one")
    with (
        source.packages(arguments.debs, host) as packages,
        tempfile.TemporaryDirectory(prefix="ociwheel-made-") as folder,
    ):
        tools = None if arguments.tools is None else arguments.tools.absolute()
        root = Path(folder).resolve()
        row = platform(arguments.platform)
        made = make_files(packages, tools, row, arguments.accept_scripts, root)
        return write_layer(
            [entry for one in made for entry in one.entries],
            arguments.output,
            title="made files",
            contents=tuple(dict.fromkeys(Content("rootfs", m.package, m.version) for m in made if m.entries)),
            compression=arguments.compression,
        )
