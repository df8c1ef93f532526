"""Write the image index of all platforms, and the files that make a folder an OCI layout.

The request is a JSON object: manifests (descriptors with platform), annotations, and name, which
becomes the reference name in index.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import read_json
from ociwheel.errors import UsageError
from ociwheel.image.compose import compose_index
from ociwheel.image.layout import write_files


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets index.json, oci-layout, blobs/sha256/*",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the index and return its descriptor."""
    value = read_json(args.request)
    if not isinstance(value, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    made = compose_index(value)
    write_files(args.output, made.files)
    return made.document
