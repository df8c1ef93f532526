"""Write the image index of all platforms, and the files that make a folder an OCI layout.

The request is a JSON object: manifests (descriptors with platform), annotations, and name, which
becomes the reference name in index.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.image.index import image_index, parse_request, root_index
from ociwheel.image.layout import INDEX, OCI_LAYOUT, encode, write_blob


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
    request = parse_request(value)
    descriptor = write_blob(args.output, image_index(request), INDEX)
    (args.output / "index.json").write_bytes(encode(root_index([(descriptor, request.name)])))
    (args.output / "oci-layout").write_bytes(OCI_LAYOUT)
    return document("index", {"descriptor": descriptor.to_json()})
