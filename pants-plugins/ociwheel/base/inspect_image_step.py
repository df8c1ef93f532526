"""Look at the layers of a base image: its Python, its libc, how large it is.

The request is a JSON object: name (for messages), platform, env (of the image's configuration) and layers
(objects with digest and diff_id, bottom first).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.base.image_files import open_image, parse_layers
from ociwheel.base.inspect_image import base_path, learn
from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.platforms import platform


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--layout", type=Path, required=True, metavar="DIR", help="has blobs/sha256/*")
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the layers."""
    request = read_json(args.request)
    if not isinstance(request, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    row = platform(str(request.get("platform")))
    where = f"{request.get('name')} for {row.oci}"
    image = open_image(parse_layers(request.get("layers"), where), args.layout)
    found = learn(image, row, base_path(request), where)
    return document("base-image", {**found.to_json(), "platform": row.oci, "unpacked": list(image.unpacked)})
