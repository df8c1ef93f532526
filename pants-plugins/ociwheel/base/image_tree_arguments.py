"""What the steps that unpack a part of an image have in common."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.image_files import ImageFiles, open_image, parse_layers
from ociwheel.documents import read_document, read_json
from ociwheel.errors import UsageError
from ociwheel.platforms import Platform, platform


@dataclass(frozen=True)
class TreeArguments:
    """The image, what it is for, and its name in messages."""

    image: ImageFiles
    platform: Platform
    minor: str
    where: str


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--layout", type=Path, required=True, metavar="DIR", help="has blobs/sha256/*")
    parser.add_argument(
        "--request", type=Path, required=True, metavar="FILE", help="layers (objects with digest, diff_id)"
    )
    parser.add_argument(
        "--target", type=Path, required=True, metavar="FILE", help="ociwheel.target/1 document"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to write")


def parse(args: argparse.Namespace) -> TreeArguments:
    """Read the names of all files of the image.

    :raises BaseError: a layer is missing, damaged or hostile.
    """
    request, target = read_json(args.request), read_document(args.target, "target")
    if not isinstance(request, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    row = platform(target["platform"])
    where = f"the image for {row.oci}"
    minor = ".".join(str(target["python"]).split(".")[:2])
    return TreeArguments(
        open_image(parse_layers(request.get("layers"), where), args.layout), row, minor, where
    )
