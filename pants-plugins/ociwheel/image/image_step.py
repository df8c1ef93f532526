"""Write configuration and manifest of one platform from descriptors of its layers.

The request is a JSON object: platform, layers (layer documents, bottom first), config, created
(seconds since 1970) and annotations. No blob of a layer is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import read_json
from ociwheel.errors import UsageError
from ociwheel.image.compose import compose_image
from ociwheel.image.layout import write_files


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets blobs/sha256/*")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write both blobs and return their descriptors."""
    value = read_json(args.request)
    if not isinstance(value, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    made = compose_image(value)
    write_files(args.output, made.files)
    return made.document
