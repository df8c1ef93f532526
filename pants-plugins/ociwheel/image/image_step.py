"""Write configuration and manifest of one platform from descriptors of its layers.

The request is a JSON object: platform, layers (layer documents, bottom first), config, created
(seconds since 1970) and annotations. No blob of a layer is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.image.config import image_config, image_manifest, parse_request
from ociwheel.image.layout import CONFIG, MANIFEST, Descriptor, write_blob


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets blobs/sha256/*")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write both blobs and return their descriptors."""
    value = read_json(args.request)
    if not isinstance(value, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    request = parse_request(value)
    config = write_blob(args.output, image_config(request), CONFIG)
    manifest = write_blob(args.output, image_manifest(request, config), MANIFEST)
    described = Descriptor(manifest.media_type, manifest.digest, manifest.size, request.platform.oci_dict())
    # A layer that is there twice is stored once.
    layers = {layer.descriptor.digest: layer.descriptor.size for layer in request.layers}
    return document(
        "image",
        {
            "manifest": described.to_json(),
            "config": config.to_json(),
            "size": sum(layers.values()) + config.size + manifest.size,
            "layers": len(request.layers),
        },
    )
