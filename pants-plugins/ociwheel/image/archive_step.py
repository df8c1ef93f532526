"""Pack an OCI layout into one file: for `docker load`, or as an OCI archive."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document
from ociwheel.errors import UsageError
from ociwheel.image.archive import choose, docker_archive, oci_archive
from ociwheel.image.layout import Layout
from ociwheel.image_name import ImageName


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--layout", type=Path, required=True, metavar="DIR", help="the OCI layout to pack")
    parser.add_argument(
        "--format", choices=("docker-archive", "oci-archive"), required=True,
        help="docker-archive: one platform, for docker load 20.10 or later; oci-archive: all platforms",
    )  # fmt: skip
    parser.add_argument(
        "--tag", action="append", default=[], metavar="REF", help="NAME[:TAG] of the image; may be repeated"
    )
    parser.add_argument(
        "--platform", metavar="P", help="which platform goes into a docker-archive, linux/arm/v7 for example"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the tar file to write")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the archive and return its digest and size."""
    layout = Layout(args.layout)
    tags = [ImageName.parse_tag(text) for text in dict.fromkeys(args.tag)]
    if args.format == "docker-archive":
        packed = docker_archive(layout, choose(layout, args.platform), tags, args.output)
    elif args.platform:
        raise UsageError("--platform is for --format docker-archive; an oci-archive holds all platforms")
    else:
        packed = oci_archive(layout, tags, args.output)
    return document("archive", {"sha256": packed.sha256, "size": packed.size})
