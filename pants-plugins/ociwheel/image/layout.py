"""OCI image layouts: the one place that writes and reads them.

Specification: OCI image-spec 1.1, image-layout.md, descriptor.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.digest import FORM, Digest
from ociwheel.errors import ImageError
from ociwheel.reading import parse_json
from ociwheel.wording import quoted

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
LAYER_TYPES: Mapping[str, str] = {
    # found: what an OCI manifest says. A registry base may have Docker's names for the same bytes.
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "application/vnd.oci.image.layer.v1.tar+zstd",
}
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
# image-layout.md: "MUST contain [...] imageLayoutVersion field set to 1.0.0".
OCI_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


@dataclass(frozen=True)
class Descriptor:
    """A blob's type, digest and size, as other documents refer to it."""

    media_type: str
    digest: Digest
    size: int
    platform: Mapping[str, str] | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the descriptor as documents hold it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            value["platform"] = dict(self.platform)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value

    @staticmethod
    def parse(value: object, where: str) -> Descriptor:
        """Return the descriptor that a document holds.

        :raises ImageError: it is none.
        """
        if not isinstance(value, dict):
            raise ImageError(f"expected a descriptor, found {value!r}", where=where)
        media_type, digest, size = (value.get(k) for k in ("mediaType", "digest", "size"))
        if not isinstance(media_type, str) or not isinstance(size, int) or size < 0:
            raise ImageError("a descriptor needs mediaType and size", where=where)
        if not Digest.fits(digest):
            raise ImageError(f"expected a digest {FORM}, found {quoted(digest)}", where=where)
        annotations = string_map(value.get("annotations"), where)
        return Descriptor(media_type, Digest(digest), size, value.get("platform"), annotations)


def string_map(value: object, where: str) -> dict[str, str]:
    """Return an object of strings, empty for ``None``.

    :raises ImageError: it holds something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(
        isinstance(k, str) and k and isinstance(v, str) for k, v in value.items()
    ):
        raise ImageError("expected an object whose values are strings", where=where)
    return dict(value)


def encode(value: object) -> bytes:
    """Return a document's bytes: sorted keys, no white space, so that equal documents are equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Blob:
    """A JSON document as a layout holds it."""

    descriptor: Descriptor
    data: bytes

    @property
    def path(self) -> str:
        """Its path in a layout, ``blobs/sha256/<digest>``."""
        return self.descriptor.digest.path


def describe(value: object, media_type: str) -> Blob:
    """Return a JSON document as a blob."""
    data = encode(value)
    return Blob(Descriptor(media_type, Digest.of(data), len(data)), data)


def write_files(output: Path, files: Mapping[str, bytes]) -> None:
    """Write files of a layout by path, each of them whole or not at all."""
    for path, data in files.items():
        file = output / path
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f".{file.name}")
        partial.write_bytes(data)
        os.replace(partial, file)


def write_blob(output: Path, value: object, media_type: str) -> Descriptor:
    """Write a JSON document as ``blobs/sha256/<digest>`` below ``output``."""
    blob = describe(value, media_type)
    write_files(output, {blob.path: blob.data})
    return blob.descriptor


class Layout:
    """A layout on disk, to read from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def blob(self, descriptor: Descriptor) -> Path:
        """Return the path of a blob.

        :raises ImageError: it is not there, or has another size.
        """
        path = self.folder / descriptor.digest.path
        try:
            size = path.stat().st_size
        except OSError as e:
            raise ImageError(f"the blob {descriptor.digest} is missing", where=str(self.folder)) from e
        if size != descriptor.size:
            raise ImageError(
                f"the blob {descriptor.digest} has {size} bytes, its descriptor says {descriptor.size}",
                where=str(self.folder),
            )
        return path

    def read(self, descriptor: Descriptor) -> dict[str, Any]:
        """Return a JSON blob, its digest checked.

        :raises ImageError: it is missing, damaged or no JSON object.
        """
        data = self.blob(descriptor).read_bytes()
        if Digest.of(data) != descriptor.digest:
            raise ImageError(f"the blob {descriptor.digest} is damaged", where=str(self.folder))
        return _object(data, descriptor.digest)

    def roots(self) -> tuple[Descriptor, ...]:
        """Return what ``index.json`` points to.

        :raises ImageError: there is no layout, or it is damaged.
        """
        path = self.folder / "index.json"
        try:
            return _items(_object(path.read_bytes(), str(path)), str(path))
        except OSError as e:
            raise ImageError(f"not an OCI layout: {e.strerror}", where=str(path)) from e

    def indexes(self) -> tuple[Descriptor, ...]:
        """Return all indexes that ``index.json`` leads to, once each."""
        return self._walk()[0]

    def manifests(self) -> tuple[Descriptor, ...]:
        """Return the manifests of all platforms, those of nested indexes included, once each."""
        return self._walk()[1]

    def _walk(self) -> tuple[tuple[Descriptor, ...], tuple[Descriptor, ...]]:
        indexes: dict[str, Descriptor] = {}
        manifests: dict[str, Descriptor] = {}
        todo = list(self.roots())
        while todo:
            descriptor = todo.pop(0)
            if descriptor.media_type == MANIFEST:
                manifests.setdefault(descriptor.digest, descriptor)
            elif descriptor.media_type == INDEX and descriptor.digest not in indexes:
                indexes[descriptor.digest] = descriptor
                todo += _items(self.read(descriptor), descriptor.digest)
        return tuple(indexes.values()), tuple(manifests.values())


def _items(index: Mapping[str, Any], where: str) -> tuple[Descriptor, ...]:
    items = index.get("manifests")
    if not isinstance(items, list):
        raise ImageError("an index needs a list of manifests", where=where)
    return tuple(Descriptor.parse(item, f"{where}: manifests[{n}]") for n, item in enumerate(items))


def _object(data: bytes, where: str) -> dict[str, Any]:
    try:
        value = parse_json(data)
    except ValueError as e:
        raise ImageError(str(e), where=where) from e
    if not isinstance(value, dict):
        raise ImageError("is not a JSON object", where=where)
    return value
