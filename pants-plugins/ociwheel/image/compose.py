"""Manifest and index as documents and files: pure functions, for the steps of that name and for callers.

Nothing here, and nothing that it imports, needs a library or a Python after 3.9: a build system may call it
in its own process instead of starting one for some KB of JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ociwheel.documents import document
from ociwheel.image import config, index
from ociwheel.image.layout import CONFIG, INDEX, MANIFEST, OCI_LAYOUT, Descriptor, describe, encode


@dataclass(frozen=True)
class Composed:
    """What a step answers, and the files of a layout that it makes, by path."""

    document: dict[str, Any]
    files: Mapping[str, bytes]


def compose_image(request: Mapping[str, Any]) -> Composed:
    """Return configuration and manifest of one platform.

    :param request: platform, layers (layer documents, bottom first), config, created and annotations.
    :raises ImageError: all that is wrong with it.
    """
    checked = config.parse_request(request)
    configured = describe(config.image_config(checked), CONFIG)
    manifest = describe(config.image_manifest(checked, configured.descriptor), MANIFEST)
    own = manifest.descriptor
    described = Descriptor(own.media_type, own.digest, own.size, checked.platform.oci_dict())
    # A layer that is there twice is stored once.
    layers = {layer.descriptor.digest: layer.descriptor.size for layer in checked.layers}
    fields = {
        "manifest": described.to_json(),
        "config": configured.descriptor.to_json(),
        "size": sum(layers.values()) + configured.descriptor.size + own.size,
        "layers": len(checked.layers),
    }
    return Composed(document("image", fields), {blob.path: blob.data for blob in (configured, manifest)})


def compose_index(request: Mapping[str, Any]) -> Composed:
    """Return the index of all platforms, and the files that make a folder an OCI layout.

    :param request: manifests (descriptors with platform), annotations and name.
    :raises ImageError: all that is wrong with it.
    """
    checked = index.parse_request(request)
    blob = describe(index.image_index(checked), INDEX)
    files = {
        blob.path: blob.data,
        "index.json": encode(index.root_index([(blob.descriptor, checked.name)])),
        "oci-layout": OCI_LAYOUT,
    }
    return Composed(document("index", {"descriptor": blob.descriptor.to_json()}), files)
