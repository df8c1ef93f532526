"""The image of a container that builds wheels: one layer, one platform, loaded and removed again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.image.config import image_config, image_manifest, parse_request
from ociwheel.image.index import root_index
from ociwheel.image.layout import CONFIG, MANIFEST, OCI_LAYOUT, Descriptor, encode, write_blob
from ociwheel.platforms import Platform


def write_container_image(layer: Mapping[str, Any], platform: Platform, output: Path) -> None:
    """Make the folder that holds the layer's blob an OCI layout.

    :param layer: the layer's document.
    :param output: the layout's folder.
    """
    config = {"user": "nonroot", "workdir": "/build"}
    request = parse_request({"platform": platform.oci, "layers": [layer], "config": config, "created": 0})
    described = write_blob(output, image_config(request), CONFIG)
    manifest = write_blob(output, image_manifest(request, described), MANIFEST)
    root = Descriptor(manifest.media_type, manifest.digest, manifest.size, platform.oci_dict())
    (output / "index.json").write_bytes(encode(root_index([(root, "build")])))
    (output / "oci-layout").write_bytes(OCI_LAYOUT)
