"""Packing a layout, or one platform of it, into a tar file.

``docker-archive``: what ``docker load`` reads since Docker 1.10, a ``manifest.json`` that names
configuration and layers by path. The paths are those of an OCI layout, whose files are there too,
so that newer tools read the same file as a layout. Layers stay compressed as they are, but for zstd:
Docker loads none before version 23, so those are unpacked. The image's ID is the same either way.

``oci-archive``: the whole layout.
"""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from ociwheel.digest import BLOBS, Digest
from ociwheel.errors import ImageError, ToolError
from ociwheel.formats.entries import Entry
from ociwheel.image.index import root_index
from ociwheel.image.layout import (
    CONTAINERD_NAME,
    INDEX,
    OCI_LAYOUT,
    Descriptor,
    Layout,
    encode,
)
from ociwheel.image_name import ImageName
from ociwheel.layer import tar

_CHUNK_BYTES = 1 << 20
_TAR_LAYER = "application/vnd.oci.image.layer.v1.tar"
_ZSTD_LAYER = f"{_TAR_LAYER}+zstd"


@dataclass(frozen=True)
class _Unpacked:
    """A layer as the archive has it, and the blob of the layout that it is unpacked from."""

    described: Descriptor
    packed: Descriptor


_File = Descriptor | _Unpacked | bytes


@dataclass(frozen=True)
class Packed:
    """The archive that was written."""

    sha256: str
    size: int


def choose(layout: Layout, platform: str | None) -> Descriptor:
    """Return the manifest of one platform.

    :param platform: ``linux/arm/v7``; may be left out when the layout has only one.
    :raises ImageError: it has several and none was named, or it lacks the named one.
    """
    manifests = {_platform_name(d): d for d in layout.manifests()}
    names = ", ".join(sorted(manifests))
    if platform is None:
        if len(manifests) == 1:
            return next(iter(manifests.values()))
        raise ImageError(
            f"a docker-archive holds one platform, the layout has {len(manifests)}: {names}",
            hint="choose one with --platform",
        )
    if platform not in manifests:
        raise ImageError(f"the layout has no {platform}, only: {names}")
    return manifests[platform]


def docker_archive(layout: Layout, manifest: Descriptor, tags: Sequence[ImageName], output: Path) -> Packed:
    """Write one platform's image for ``docker load``.

    :raises ImageError: a blob is missing or damaged.
    """
    value = layout.read(manifest)
    config = Descriptor.parse(value.get("config"), f"{manifest.digest}: config")
    layers = [
        Descriptor.parse(item, f"{manifest.digest}: layers[{number}]")
        for number, item in enumerate(value.get("layers") or ())
    ]
    unpacked = {layer.digest: _unpack(layout, layer) for layer in layers if layer.media_type == _ZSTD_LAYER}
    files: dict[str, _File] = {}
    if unpacked:
        layers = [unpacked[layer.digest].described if layer.digest in unpacked else layer for layer in layers]
        files = {_place(one.described): one for one in unpacked.values()}
        data = encode({**value, "layers": [layer.to_json() for layer in layers]})
        digest = Digest.of(data)
        manifest = replace(manifest, digest=digest, size=len(data))
        files[_place(manifest)] = data
    table = [
        {
            "Config": _place(config),
            "RepoTags": [str(tag) for tag in tags],
            "Layers": [_place(layer) for layer in layers],
        }
    ]
    documents = {"manifest.json": encode(table), "index.json": encode(_named(manifest, tags))}
    return _write(layout, [manifest, config, *layers], {**files, **documents}, output)


def oci_archive(layout: Layout, tags: Sequence[ImageName], output: Path) -> Packed:
    """Write the whole layout.

    :param tags: names of the index in the archive; without any, those that it has are kept.
    :raises ImageError: a blob is missing or damaged.
    """
    blobs: list[Descriptor] = []
    for manifest in layout.manifests():
        value = layout.read(manifest)
        blobs.append(manifest)
        for number, item in enumerate([value.get("config"), *(value.get("layers") or ())]):
            blobs.append(Descriptor.parse(item, f"{manifest.digest}: blob {number}"))
    roots = layout.roots()
    blobs += layout.indexes()
    if tags and len(roots) != 1:
        raise ImageError(f"tags can name one image, the layout has {len(roots)}", where=str(layout.folder))
    index = encode(_named(roots[0], tags)) if tags else (layout.folder / "index.json").read_bytes()
    return _write(layout, blobs, {"index.json": index}, output)


def _named(descriptor: Descriptor, tags: Sequence[ImageName]) -> dict[str, Any]:
    """Return ``index.json`` with one entry per tag, readable for skopeo, podman and containerd."""
    if not tags:
        return {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor.to_json()]}
    return root_index(
        (replace(descriptor, annotations={CONTAINERD_NAME: tag.full}), tag.reference) for tag in tags
    )


def _platform_name(descriptor: Descriptor) -> str:
    platform = descriptor.platform or {}
    return "/".join(platform[k] for k in ("os", "architecture", "variant") if k in platform)


def _place(descriptor: Descriptor) -> str:
    return descriptor.digest.path


def _stored(layout: Layout, blob: Descriptor) -> Iterator[bytes]:
    with layout.blob(blob).open("rb") as source:
        while chunk := source.read(_CHUNK_BYTES):
            yield chunk


def _decompressed(layout: Layout, blob: Descriptor) -> Iterator[bytes]:
    """Yield what a blob of zstd unpacks to.

    :raises ToolError: zstandard is not in the toolbox.
    :raises ImageError: the blob is damaged.
    """
    try:
        zstandard: Any = importlib.import_module("zstandard")
    except ImportError as e:
        raise ToolError(
            "the layers are compressed with zstd, and zstandard is not in the toolbox",
            hint="run the step `toolbox` with `--with zstd`",
        ) from e
    with layout.blob(blob).open("rb") as source:
        reader = zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True)
        try:
            while chunk := reader.read(_CHUNK_BYTES):
                yield chunk
        except zstandard.ZstdError as e:
            raise ImageError(f"the blob {blob.digest} is damaged: {e}", where=str(layout.folder)) from e


def _unpack(layout: Layout, blob: Descriptor) -> _Unpacked:
    """Return a layer without its compression; its size is not known before it has been read once."""
    checksum, size = hashlib.sha256(), 0
    for chunk in _decompressed(layout, blob):
        checksum.update(chunk)
        size += len(chunk)
    described = Descriptor(_TAR_LAYER, Digest.of_hex(checksum.hexdigest()), size, None, blob.annotations)
    return _Unpacked(described, blob)


def _write(layout: Layout, blobs: Iterable[Descriptor], others: Mapping[str, _File], output: Path) -> Packed:
    files: dict[str, _File] = {_place(d): d for d in blobs}
    files |= others
    files["oci-layout"] = OCI_LAYOUT
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    try:
        with partial.open("wb") as file:
            sink = _Sink(file)
            for folder in ("blobs", BLOBS):
                sink.write(tar.header(Entry(folder, "dir", 0o755), 0))
            for path in sorted(files):
                _add(layout, path, files[path], sink)
            sink.write(tar.END)
        os.replace(partial, output)
    finally:
        partial.unlink(missing_ok=True)
    return Packed(sink.hash.hexdigest(), sink.size)


class _Sink:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)
        self._file.write(data)


def _add(layout: Layout, path: str, content: _File, sink: _Sink) -> None:
    if isinstance(content, bytes):
        sink.write(tar.header(Entry(path, "file", 0o644), len(content)))
        sink.write(content)
        sink.write(tar.padding(len(content)))
        return
    if isinstance(content, _Unpacked):
        described, chunks = content.described, _decompressed(layout, content.packed)
    else:
        described, chunks = content, _stored(layout, content)
    sink.write(tar.header(Entry(path, "file", 0o644), described.size))
    checksum = hashlib.sha256()
    for chunk in chunks:
        checksum.update(chunk)
        sink.write(chunk)
    if checksum.hexdigest() != described.digest.hex:
        raise ImageError(f"the blob {described.digest} is damaged", where=str(layout.folder))
    sink.write(tar.padding(described.size))
