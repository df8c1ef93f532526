"""Image indexes: pure functions.

Specification: OCI image-spec 1.1, image-index.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ociwheel.errors import ErrorCollector, ImageError
from ociwheel.image.layout import INDEX, MANIFEST, REF_NAME, Descriptor, string_map

# annotations.md, org.opencontainers.image.ref.name: components of alphanumerics, separated by one
# of -._:@+ or --, joined by slashes.
_REF_NAME = re.compile(r"[A-Za-z0-9]+(?:(?:--|[-._:@+/])[A-Za-z0-9]+)*")


@dataclass(frozen=True)
class IndexRequest:
    """A checked request of the ``index`` step."""

    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str]
    name: str
    """Reference name of the index in its layout."""


def parse_request(request: Mapping[str, Any]) -> IndexRequest:
    """Check a request.

    :raises ImageError: all that is wrong with it.
    """
    errors = ErrorCollector()
    items = request.get("manifests")
    if not isinstance(items, list) or not items:
        raise ImageError("an index needs a list of at least one manifest", where="manifests")
    manifests: dict[tuple[str, ...], Descriptor] = {}
    for number, item in enumerate(items):
        where = f"manifests[{number}]"
        try:
            descriptor = _manifest(item, where)
        except ImageError as e:
            errors.add(e)
            continue
        platform = _platform(descriptor)
        if platform in manifests:
            errors.add(ImageError(f"there is a second manifest for {'/'.join(platform)}", where=where))
        manifests[platform] = descriptor
    name = request.get("name")
    if not isinstance(name, str) or not _REF_NAME.fullmatch(name):
        errors.add(ImageError(f"{name!r} cannot be a reference name", where="name"))
    errors.raise_if_any()
    ordered = tuple(manifests[key] for key in sorted(manifests))
    return IndexRequest(ordered, string_map(request.get("annotations"), "annotations"), str(name))


def image_index(request: IndexRequest) -> dict[str, Any]:
    """Return the index, manifests in the order of their platforms."""
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [descriptor.to_json() for descriptor in request.manifests],
    }
    if request.annotations:
        value["annotations"] = dict(request.annotations)
    return value


def root_index(entries: Iterable[tuple[Descriptor, str]]) -> dict[str, Any]:
    """Return ``index.json`` of a layout.

    :param entries: what it points to, with reference names.
    """
    manifests = [replace(d, annotations={**d.annotations, REF_NAME: name}).to_json() for d, name in entries]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}


def _manifest(item: object, where: str) -> Descriptor:
    descriptor = Descriptor.parse(item, where)
    if descriptor.media_type != MANIFEST:
        raise ImageError(f"{descriptor.media_type!r} is not an image manifest", where=where)
    platform = string_map(descriptor.platform, f"{where}.platform")
    if not {"os", "architecture"} <= set(platform):
        raise ImageError("the descriptor needs a platform with os and architecture", where=where)
    return descriptor


def _platform(descriptor: Descriptor) -> tuple[str, ...]:
    platform = descriptor.platform or {}
    return tuple(platform[k] for k in ("os", "architecture", "variant") if k in platform)
