"""What parts of a base are unpacked from: Debian packages, or the layers of an image. Steps take either."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.image_files import ImageFiles, open_image, parse_layers
from ociwheel.debian.deb import Package, check_architecture, read_debs
from ociwheel.documents import read_json
from ociwheel.errors import UsageError
from ociwheel.platforms import Platform


@dataclass(frozen=True)
class DebianPackages:
    """Packages, unpacked as long as they are open."""

    packages: tuple[Package, ...]


@dataclass(frozen=True)
class ImageLayers:
    """The files of an image, and an empty folder for their contents."""

    files: ImageFiles
    scratch: Path
    where: str
    """The image, for messages."""
    python: str | None = None
    """A folder in the image to look for Python before the usual ones."""


Source = DebianPackages | ImageLayers


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a step that unpacks a part of a base."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--debs", type=Path, metavar="DIR", help="the folder with the packages")
    source.add_argument(
        "--layers",
        type=Path,
        metavar="FILE",
        help="JSON: `layers` of an image, objects with digest, diff_id; "
        "perhaps `python`, the folder of its Python",
    )
    parser.add_argument(
        "--layout", type=Path, metavar="DIR", default=Path(), help="has blobs/sha256/* of those layers"
    )
    parser.add_argument("--target", type=Path, required=True, metavar="FILE", help="the target document")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the folder to write")


@contextmanager
def opened(args: argparse.Namespace, platform: Platform) -> Iterator[Source]:
    """Open what the arguments of :func:`configure` name.

    :raises BaseError: a package or a layer is missing, damaged, hostile, or of another platform.
    """
    if args.debs is not None:
        with packages(args.debs, platform) as found:
            yield DebianPackages(found)
        return
    request = read_json(args.layers)
    if not isinstance(request, dict):
        raise UsageError("expected a JSON object", where=str(args.layers))
    where = f"the image for {platform.oci}"
    files = open_image(parse_layers(request.get("layers"), where), args.layout)
    with tempfile.TemporaryDirectory(prefix="ociwheel-image-") as scratch:
        yield ImageLayers(files, Path(scratch), where, _folder(request.get("python"), str(args.layers)))


def _folder(value: object, where: str) -> str | None:
    if value is not None and not (isinstance(value, str) and value.startswith("/")):
        raise UsageError("'python' is no folder of an image", where=where)
    return value


@contextmanager
def packages(folder: Path, platform: Platform) -> Iterator[tuple[Package, ...]]:
    """Unpack the packages in a folder, for as long as they are used.

    :raises BaseError: one is damaged, hostile, or of another platform.
    """
    with tempfile.TemporaryDirectory(prefix="ociwheel-debs-") as scratch:
        found = tuple(read_debs(folder, Path(scratch)))
        check_architecture(found, platform)
        yield found
